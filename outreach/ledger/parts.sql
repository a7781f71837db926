-- name: take_parts
-- Waiting receipts whose reference is a part of a message's. Those that have been looked at for half an hour
-- belong to no message that will still get its reference.
select o.id as orphan, o.ref, o.state, o.code, m.period, m.shard, m.id as message_id
from receipt_orphan o
join address a on a.dest = o.dest
join message m on m.period = any(array(select distinct period from round where period is not null))
     and m.person_id = a.person_id and strpos(m.ref, '+') > 0
     and o.ref = any(string_to_array(translate(m.ref, 'df', ''), '+'))
where o.message_id is null and o.ref is not null and o.attempts < 12
order by o.id limit %(limit)s for update of o skip locked

-- name: lock_messages
-- In the order in which everybody locks them.
select m.period, m.shard, m.id, m.ref
from message m
join unnest(%(periods)s::int[], %(shards)s::smallint[], %(ids)s::bigint[]) as n (period, shard, id)
     on m.period = n.period and m.shard = n.shard and m.id = n.id
order by m.period, m.shard, m.id for update of m

-- name: mark_parts
-- What was reported stands with the message.
update message m set ref = n.ref
from unnest(%(periods)s::int[], %(shards)s::smallint[], %(ids)s::bigint[], %(refs)s::text[])
    as n (period, shard, id, ref)
where m.period = n.period and m.shard = n.shard and m.id = n.id and m.ref is distinct from n.ref

-- name: forget
-- With what they said, in one transaction.
delete from receipt_orphan where id = any(%(ids)s::bigint[])
