-- Messages whose outcome is unknown, found without walking the millions around them. The condition is on `tried_at`,
-- which is null unless a message is unknown: an index on the state would make every ordinary change of state write
-- to it.
create index message_doubtful on message (round_id, id) where tried_at is not null;
