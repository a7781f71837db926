-- name: take_parts
-- Waiting receipts whose reference is a part of a message's; period 0: of one outside any round. Those that
-- have been looked at for half an hour belong to no message that will still get its reference.
select o.id as orphan, o.ref, o.state, o.code, m.period, m.shard, m.id as message_id
from receipt_orphan o
left join address a on a.dest = o.dest
cross join lateral (
    select period, shard, id, ref from message
    where period = any(array(select distinct period from round where period is not null))
      and person_id = a.person_id
    union all
    select 0, 0::smallint, id, ref from direct_message
    where gateway_id = o.gateway_id and strpos(ref, '+') > 0 and created_at > now() - interval '7 days'
      and (person_id is null or person_id = a.person_id)) m
where o.message_id is null and o.ref is not null and o.attempts < 12
  and strpos(m.ref, '+') > 0 and o.ref = any(string_to_array(translate(m.ref, '=!', ''), '+'))
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

-- name: lock_direct
-- The same for messages outside any round.
select id, ref from direct_message where id = any(%(ids)s::bigint[]) order by id for update

-- name: mark_direct
-- Marks and, by rank, what they say in sum.
update direct_message d set ref = n.ref,
       state = case when state_rank(n.state) > state_rank(d.state) then n.state else d.state end,
       code = case when n.state = 4 and state_rank(n.state) > state_rank(d.state) then n.code else d.code end
from unnest(%(ids)s::bigint[], %(refs)s::text[], %(states)s::smallint[], %(codes)s::text[])
    as n (id, ref, state, code)
where d.id = n.id

-- name: forget
-- With what they said, in one transaction.
delete from receipt_orphan where id = any(%(ids)s::bigint[])
