-- name: merge_batch
-- Rows beyond the cursor whose transaction is older than every running one: none can appear behind us later.
select gateway_id, message_id, whole_request, dest, ref, state, code, fallback, at, arrived_at,
       attempts, arrived_in::text as arrived_in, id
from receipt_inbox
where arrived_in < pg_snapshot_xmin(pg_current_snapshot())
  and (arrived_in, id) > ((select arrived_in from receipt_cursor), (select id from receipt_cursor))
order by receipt_inbox.arrived_in, id limit %(limit)s

-- name: behind
-- The oldest receipt that is not merged: its age, read from one row of the index.
select coalesce((select arrived_at < now() - %(patience)s::interval from receipt_inbox
                 where (arrived_in, id) > ((select arrived_in from receipt_cursor), (select id from receipt_cursor))
                 order by receipt_inbox.arrived_in, id limit 1), false) as behind

-- name: lock_cursor
-- One merge at a time.
select 1 as one from receipt_cursor for update skip locked

-- name: move_cursor
-- With the merge, in one transaction.
update receipt_cursor set arrived_in = %(arrived_in)s::xid8, id = %(id)s

-- name: periods_of
-- A receipt's key names the batch, the batch its period.
select id, period, round_id, step from batch where shard = any(%(shards)s) and id = any(%(ids)s)

-- name: behind_keys
-- What stands close behind the keys of requests, each once: most receipts of a request are for these.
select f.first, m.id, m.dest from unnest(%(firsts)s::bigint[]) as f (first)
cross join lateral (
    select m.id, m.dest from message m
    where m.period = %(period)s and m.shard = %(shard)s and m.id >= f.first and m.id < f.first + %(reach)s
    order by m.id) m

-- name: by_destination
-- Requests that carry many messages echo the first key only: the message is the first at or behind that key
-- in its batch with this destination.
select w.n, m.id
from unnest(%(ns)s::int[], %(firsts)s::bigint[], %(dests)s::bigint[]) as w (n, first, dest)
cross join lateral (
    select m.id from message m
    where m.period = %(period)s and m.shard = %(shard)s and m.dest = w.dest
      and m.id >= w.first and m.id < (w.first / 1000 + 1) * 1000
    order by m.id limit 1) m

-- name: by_reference
-- Providers that do not echo our key: the address tells the person, the reference her message.
select w.n, m.period, m.shard, m.id
from unnest(%(ns)s::int[], %(dests)s::bigint[], %(refs)s::text[]) as w (n, dest, ref)
join address a on a.dest = w.dest
join message m on m.period = any(array(select distinct period from round where period is not null))
     and m.person_id = a.person_id and m.ref = w.ref

-- name: direct_by_reference
-- The same for messages outside any round, asked only for what belongs to none. A test goes to nobody of the
-- registry.
select w.n, d.id
from unnest(%(ns)s::int[], %(gateways)s::smallint[], %(dests)s::bigint[], %(refs)s::text[])
    as w (n, gateway_id, dest, ref)
join direct_message d on d.gateway_id = w.gateway_id and d.ref = w.ref and d.created_at > now() - interval '7 days'
where d.person_id is null
   or exists (select from address a where a.person_id = d.person_id and a.dest = w.dest)

-- name: merge_accepted
-- Reports of accepted messages, one for each: what they were is known, so nothing is locked beforehand.
-- Returns those that were something else when the row was reached. The planner must not look at the state: of a
-- month that was counted before anything was sent it expects nobody accepted, and joins every receipt with every
-- message of the shard (measured 175 microseconds a receipt instead of 5).
with new as materialized (
    select * from unnest(%(ids)s::bigint[], %(states)s::smallint[], %(codes)s::text[]) as n (id, state, code)
), moved as (
    update message m set state = n.state, code = case when n.state = 4 then n.code else coalesce(n.code, m.code) end,
           not_before = null, tried_at = null, at = (select business_now())
    from new n
    where m.period = %(period)s and m.shard = %(shard)s and m.id = n.id and coalesce(m.state = 2, false)
      and state_rank(n.state) > state_rank(2::smallint)
    returning m.id, m.round_id, m.step, m.org_id, m.state, m.taxpayer_ids, cardinality(m.taxpayer_ids) as h
), reached as (
    insert into reached_delta (round_id, taxpayer_ids)
    select round_id, array_agg(t) from moved, unnest(taxpayer_ids) as t where state in (3, 5) group by round_id
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select round_id, step, org_id, s.state, sum(s.sign), sum(s.sign * h)
    from moved, lateral (values (2::smallint, -1), (moved.state, 1)) s (state, sign)
    group by round_id, step, org_id, s.state
)
select id from new except select id from moved

-- name: merge_states
-- By rank: order and repetition of receipts do no harm.
with new as (
    select * from unnest(%(ids)s::bigint[], %(states)s::smallint[], %(codes)s::text[]) as n (id, state, code)
), old as materialized (
    select m.id, m.state, m.round_id, m.step, m.org_id, m.taxpayer_ids, cardinality(m.taxpayer_ids) as h,
           n.state as goal, n.code
    from message m join new n on n.id = m.id
    where m.period = %(period)s and m.shard = %(shard)s and m.id = any(%(ids)s::bigint[])
      and state_rank(n.state) > state_rank(m.state)
    order by m.id for update of m
), moved as (
    update message m set state = o.goal, code = case when o.goal = 4 then o.code else coalesce(o.code, m.code) end,
           not_before = null, tried_at = null, at = (select business_now())
    from old o where m.period = %(period)s and m.shard = %(shard)s and m.id = o.id
), reached as (
    insert into reached_delta (round_id, taxpayer_ids)
    select round_id, array_agg(t) from old, unnest(taxpayer_ids) as t
    where goal in (3, 5) and state not in (3, 5) group by round_id
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select round_id, step, org_id, s.state, sum(s.sign), sum(s.sign * h)
    from old, lateral (values (old.state, -1), (old.goal, 1)) s (state, sign)
    group by round_id, step, org_id, s.state
)
select count(*)::int as n from old

-- name: merge_direct
-- Receipts of messages outside any round.
update direct_message d set state = n.state, code = coalesce(n.code, d.code)
from unnest(%(ids)s::bigint[], %(states)s::smallint[], %(codes)s::text[]) as n (id, state, code)
where d.id = n.id and state_rank(n.state) > state_rank(d.state)

-- name: keep_orphans
-- What cannot be told yet waits, with growing pauses.
insert into receipt_orphan (gateway_id, message_id, whole_request, dest, ref, state, code, fallback, at,
                            arrived_at, attempts, not_before)
select o.*, now() + least(%(first)s * power(2, o.attempts), 3600) * interval '1 second'
from unnest(%(gateway_ids)s::smallint[], %(message_ids)s::bigint[], %(whole)s::boolean[], %(dests)s::bigint[],
            %(refs)s::text[], %(states)s::smallint[], %(codes)s::text[], %(fallbacks)s::boolean[],
            %(ats)s::timestamptz[], %(arrived)s::timestamptz[], %(attempts)s::smallint[])
    as o (gateway_id, message_id, whole_request, dest, ref, state, code, fallback, at, arrived_at, attempts)

-- name: take_orphans
-- Due for another look; those older than 72 hours stay for a person to see.
delete from receipt_orphan where id in (
    select id from receipt_orphan where not_before <= now() and arrived_at > now() - interval '72 hours'
    order by not_before limit %(limit)s for update skip locked)
returning gateway_id, message_id, whole_request, dest, ref, state, code, fallback, at, arrived_at,
          (attempts + 1)::smallint as attempts, '' as arrived_in, id

-- name: close_bounced
-- A mailbox that there is not gets no more mail until somebody enters another address; the same code of another
-- channel says nothing of one.
update address a set usable = false, unusable_reason = '退信 ' || n.code, updated_at = now()
from unnest(%(dests)s::bigint[], %(codes)s::text[], %(gateways)s::smallint[]) as n (dest, code, gateway_id)
join gateway g on g.id = n.gateway_id and g.channel = 'email'
where a.dest = n.dest and a.kind = 'email' and a.usable

-- name: learn_rcs
-- Whether a number can read 5G messages is only learned by sending them; the code of another channel's receipt
-- may look alike.
update address a set rcs = n.able, rcs_learned_at = now()
from (select x.dest, bool_and(x.able) as able
      from unnest(%(dests)s::bigint[], %(ables)s::boolean[], %(gateways)s::smallint[]) as x (dest, able, gateway_id)
      join gateway g on g.id = x.gateway_id and g.channel = 'rcs'
      group by x.dest) n
where a.dest = n.dest and a.kind = 'mobile' and a.rcs is distinct from n.able
