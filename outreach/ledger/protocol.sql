-- name: due_batches
-- What can be sent now, found without any queue: open, due, unleased, of an open round.
-- `turn` makes a new ring of a batch that nobody has claimed for five seconds: a bell whose ringer died rings
-- no more.
select b.shard, b.id, b.lane, b.fence,
       (extract(epoch from now() - greatest(b.next_at, b.lease_until)) / 5)::int as turn
from batch b
where b.gateway_id = %(gateway_id)s and b.state = 0 and b.next_at <= now()
  and (b.lease_until is null or b.lease_until < now()) and b.round_id = any(%(rounds)s)
order by b.lane, b.next_at, b.id limit %(limit)s

-- name: abandoned_batches
-- A holder died inside a window, and the round may no longer send: the window is still to be marked unknown.
select shard, id, gateway_id from batch
where state = 0 and settled < watermark and lease_until < now() limit 100

-- name: claim
-- The fence only grows; whoever held the batch before can open no further window.
with due as (
    select shard, id from batch
    where shard = %(shard)s and id = %(id)s and state = 0 and next_at <= now()
      and (lease_until is null or lease_until < now())
    for update skip locked
)
update batch b set fence = b.fence + 1, owner = %(owner)s, lease_until = now() + %(lease)s * interval '1 second'
from due where b.shard = due.shard and b.id = due.id
returning b.shard, b.id, b.period, b.round_id, b.step, b.gateway_id, b.lane, b.n, b.watermark, b.settled, b.fence

-- name: recover
-- The last holder left a window open: nobody can tell what of it was sent. With the claim, in one transaction.
with lost as (
    update message m set state = 1, at = (select business_now()), tries = least(m.tries + 1, 30000),
           sent_at = coalesce(m.sent_at, (select business_now())),
           tried_at = coalesce(m.tried_at, b.opened_at),
           not_before = case when %(may_ask)s then now() + %(quiet)s * interval '1 second' end
    from batch b
    where b.shard = %(shard)s and b.id = %(id)s and m.period = b.period and m.shard = b.shard
      and m.id >= b.id * 1000 + b.settled and m.id < b.id * 1000 + b.watermark
      and m.state = 0 and m.not_before is null
    returning m.round_id, m.step, m.org_id, cardinality(m.taxpayer_ids) as h
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select round_id, step, org_id, s.state, s.sign * count(*), s.sign * sum(h)
    from lost, (values (0::smallint, -1), (1::smallint, 1)) s (state, sign)
    group by round_id, step, org_id, s.state, s.sign
)
select count(*)::int as n from lost

-- name: open_window
-- Committed before anything of the window may leave. No row: the fence has moved on, or the round stands still.
update batch set settled = %(settled)s, watermark = %(watermark)s, opened_at = now(),
       lease_until = now() + %(lease)s * interval '1 second'
where shard = %(shard)s and id = %(id)s and fence = %(fence)s and state = 0
  and exists (select from round where id = %(round_id)s and state = 'running')
returning opened_at

-- name: close_batch
-- Settled to the end, or given back for later.
update batch set settled = %(settled)s, state = case when %(settled)s = n then 1 else state end,
       lease_until = null, owner = null, next_at = now() + %(pause)s * interval '1 second'
where shard = %(shard)s and id = %(id)s and fence = %(fence)s
returning state

-- name: move_destinations
-- An address that changed after the batch was cut. Not where another message of the batch has gone to the new
-- destination: a receipt that names a request and a destination could not tell the two apart.
update message m set dest = n.dest
from unnest(%(ids)s::bigint[], %(dests)s::bigint[]) as n (id, dest)
where m.period = %(period)s and m.shard = %(shard)s and m.id = n.id and m.state = 0
  and not exists (select from message o where o.period = m.period and o.shard = m.shard
                  and o.id >= m.id / 1000 * 1000 and o.id < (m.id / 1000 + 1) * 1000
                  and o.id <> m.id and o.dest = n.dest and o.state between 1 and 5)
returning m.id

-- name: settle_window
-- Outcomes of a window whose messages still stand as they were opened, which are nearly all: what they were is
-- known, so nothing is locked beforehand. Returns those that stood otherwise when the row was reached.
-- The planner must not look at the state: counted when a campaign was over, it expects nobody planned.
with new as materialized (
    select * from unnest(%(ids)s::bigint[], %(states)s::smallint[], %(refs)s::text[], %(codes)s::text[],
                         %(parts)s::smallint[], %(tries)s::smallint[], %(rests)s::float8[])
        as n (id, state, ref, code, parts, tries, rest)
), moved as (
    update message m set
        state = n.state,
        ref = coalesce(m.ref, n.ref),
        code = coalesce(n.code, case when n.state in (0, 1, 4) then m.code end),
        parts = greatest(m.parts, n.parts),
        tries = least(m.tries::int + n.tries, 30000),
        not_before = case when n.state in (0, 1) then now() + n.rest * interval '1 second' end,
        sent_at = case when n.tries > 0 then coalesce(m.sent_at, (select business_now())) else m.sent_at end,
        tried_at = case when n.state = 1 then coalesce(m.tried_at, %(tried_at)s::timestamptz, now()) end,
        at = case when n.state <> 0 then (select business_now()) else m.at end
    from new n
    where m.period = %(period)s and m.shard = %(shard)s and m.id = n.id
      and coalesce(m.state = 0, false) and m.not_before is null
    returning m.id, m.round_id, m.step, m.org_id, m.state, m.taxpayer_ids, cardinality(m.taxpayer_ids) as h
), reached as (
    insert into reached_delta (round_id, taxpayer_ids)
    select round_id, array_agg(t) from moved, unnest(taxpayer_ids) as t where state in (3, 5) group by round_id
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select round_id, step, org_id, s.state, sum(s.sign), sum(s.sign * h)
    from moved, lateral (values (0::smallint, -1), (moved.state, 1)) s (state, sign)
    where moved.state <> 0
    group by round_id, step, org_id, s.state
)
select id from new except select id from moved

-- name: settle
-- Evidence is merged by rank and never fenced. What speaks of one try only (`untaken`) decides while the try's
-- holder still holds the message: a window its unsettled ones, a reconciler those that rest until its own
-- `held`. The counters move with the rows. A message rests anew only for its holder, or if it has moved.
with new as (
    select * from unnest(%(ids)s::bigint[], %(states)s::smallint[], %(refs)s::text[], %(codes)s::text[],
                         %(parts)s::smallint[], %(tries)s::smallint[], %(rests)s::float8[], %(untaken)s::boolean[])
        as n (id, state, ref, code, parts, tries, rest, untaken)
), old as materialized (
    select m.id, m.state, m.not_before, m.round_id, m.step, m.org_id, m.taxpayer_ids,
           cardinality(m.taxpayer_ids) as h
    from message m
    where m.period = %(period)s and m.shard = %(shard)s and m.id = any(%(ids)s::bigint[])
    order by m.id for update
), judged as (
    select o.*, n.ref, n.code, n.parts, n.tries, n.rest, h.mine,
           case when n.untaken then case when h.mine then n.state else o.state end
                when state_rank(n.state) > state_rank(o.state) then n.state else o.state end as goal
    from old o join new n on n.id = o.id,
         lateral (select o.not_before is not distinct from %(held)s::timestamptz
                         and (%(held)s::timestamptz is not null or o.state = 0) as mine) h
), target as (
    select *, mine or goal <> state as speaks from judged
), moved as (
    update message m set
        state = t.goal,
        ref = coalesce(m.ref, t.ref),
        code = case when t.speaks then coalesce(t.code, case when t.goal in (0, 1, 4) then m.code end) else m.code end,
        parts = greatest(m.parts, t.parts),
        tries = least(m.tries::int + t.tries, 30000),
        not_before = case when t.goal not in (0, 1) then null
                          when t.speaks then now() + t.rest * interval '1 second' else m.not_before end,
        sent_at = case when t.tries > 0 then coalesce(m.sent_at, (select business_now())) else m.sent_at end,
        tried_at = case when t.goal = 1 then coalesce(m.tried_at, %(tried_at)s::timestamptz, now()) end,
        at = case when t.goal <> t.state then (select business_now()) else m.at end
    from target t
    where m.period = %(period)s and m.shard = %(shard)s and m.id = t.id
), reached as (
    insert into reached_delta (round_id, taxpayer_ids)
    select round_id, array_agg(t) from target, unnest(taxpayer_ids) as t
    where goal in (3, 5) and state not in (3, 5) group by round_id
)
insert into message_count (round_id, step, org_id, state, n, households)
select round_id, step, org_id, s.state, sum(s.sign), sum(s.sign * h)
from target, lateral (values (target.state, -1), (target.goal, 1)) s (state, sign)
where target.state <> target.goal
group by round_id, step, org_id, s.state
