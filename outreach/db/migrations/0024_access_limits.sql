-- Who may see a statement: limits per person and per network that tell nothing about a link.

-- Codes and wrong entries are counted for the person whose phone gets them, whatever links she has.
alter table one_time_code
    add column person_id int,
    add column tries smallint not null default 0;
create index on one_time_code (person_id, created_at);
comment on column one_time_code.person_id is 'who got the code';
comment on column one_time_code.tries is 'wrong entries while it was the newest code of its link';

-- A network is slowed by all tries that were not verified, so that being slowed does not tell dead links from live.
alter table statement_access alter column token_hash drop not null;
alter table statement_access drop constraint statement_access_event_check;
alter table statement_access add constraint statement_access_event_check check (event in (
    'code_sent', 'code_refused', 'code_wrong', 'locked', 'verified', 'miss', 'stopped', 'viewed', 'downloaded', 'ended'));
comment on column statement_access.token_hash is 'null: a network was stopped before its link was looked at';
drop index statement_access_network_at_idx;
create index on statement_access (network, at)
    where event in ('miss', 'code_sent', 'code_refused', 'code_wrong', 'locked', 'stopped');
