-- name: busy_workers
-- A worker that still beats would open windows while we look.
select count(*)::int as n from worker where seen_at > now() - interval '10 seconds'

-- name: stand_still
-- Nobody cuts batches until we have committed.
lock table round_step in exclusive mode

-- name: jump
-- Ids that were given in the lost time are on the wire as keys: none of them is ever given again. No server
-- makes a million batches, which are a billion messages, within one lost time.
select setval('batch_id', nextval('batch_id') + %(stride)s) as batch_id,
       setval('direct_id', nextval('direct_id') + %(stride)s) as direct_id

-- name: move_fences
-- A holder of the lost time may hold a fence that would be given again: it must never match.
update batch set fence = fence + %(stride)s where state = 0

-- name: doubtful_rounds
-- Rounds that may have sent in the lost time. A paused one may have been resumed in it.
select id, period from round
where period is not null and finished_at is null and state in ('running', 'paused')
  and starts_at <= business_now() - (now() - %(until)s::timestamptz) and id <> all(%(spared)s::int[])

-- name: doubt_batches
-- The rest of every batch that may have been claimed: its watermark may have been raised to the end, and that
-- commit is lost. Its keys are known, so whoever can be asked is asked.
with doubtful as materialized (
    select shard, id, period, settled, watermark, opened_at from batch
    where gateway_id = %(gateway_id)s and state = 0 and round_id = any(%(rounds)s) and next_at <= %(until)s
    for update
), lost as (
    update message m set state = 1, at = (select business_now()), tries = least(m.tries + 1, 30000),
           sent_at = coalesce(m.sent_at, (select business_now())),
           tried_at = coalesce(m.tried_at, case when m.id < d.id * 1000 + d.watermark then d.opened_at end,
                               %(since)s),
           not_before = case when %(asks)s then now() + %(quiet)s * interval '1 second' end
    from doubtful d
    where m.period = d.period and m.shard = d.shard and m.id >= d.id * 1000 + d.settled
      and m.id < (d.id + 1) * 1000 and m.state = 0 and m.not_before is null
    returning m.round_id, m.step, m.org_id, cardinality(m.taxpayer_ids) as h
), closed as (
    update batch b set settled = b.n, watermark = b.n, state = 1, owner = null, lease_until = null
    from doubtful d where b.shard = d.shard and b.id = d.id
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select round_id, step, org_id, s.state, s.sign * count(*), s.sign * sum(h)
    from lost, (values (0::smallint, -1), (1::smallint, 1)) s (state, sign)
    group by round_id, step, org_id, s.state, s.sign
)
select (select count(*) from doubtful)::int as batches, (select count(*) from lost)::int as messages

-- name: doubt_resting
-- Second tries that were due in the lost time may have been made. They rest anew, so that nobody is asked before
-- the try can be seen; where the first try stands under another day of the provider's, asking proves nothing.
with doubtful as materialized (
    select m.period, m.shard, m.id, m.state,
           %(asks)s and (m.state = 0 or m.tried_at >= %(same_day)s or not %(by_day)s) as asks
    from message m join batch b on b.shard = m.shard and b.id = m.id / 1000
    where m.not_before <= %(until)s and b.gateway_id = %(gateway_id)s and m.round_id = any(%(rounds)s)
      and m.state in (0, 1)
    for update of m
), moved as (
    update message m set state = 1, tries = least(m.tries + 1, 30000),
           at = case when d.state = 0 then (select business_now()) else m.at end,
           sent_at = coalesce(m.sent_at, (select business_now())),
           tried_at = case when d.state = 0 then %(since)s else coalesce(m.tried_at, %(since)s) end,
           not_before = case when d.asks then now() + %(quiet)s * interval '1 second' end
    from doubtful d where m.period = d.period and m.shard = d.shard and m.id = d.id
    returning m.round_id, m.step, m.org_id, d.state as was, cardinality(m.taxpayer_ids) as h
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select round_id, step, org_id, s.state, sum(s.sign), sum(s.sign * h)
    from moved, lateral (values (was, -1), (1::smallint, 1)) s (state, sign)
    where was = 0 group by round_id, step, org_id, s.state
)
select count(*)::int as messages from moved

-- name: open_steps
-- Rungs whose next batches may have been cut in the lost time, and an account of theirs to list them under.
select s.round_id, s.step, s.channel, s.cursor_position, r.period,
       (select g.id from gateway g where g.channel = s.channel
        order by g.state = 'active' desc, g.weight desc, g.id limit 1) as gateway_id
from round_step s join round r on r.id = s.round_id
where s.round_id = any(%(rounds)s) and s.state <> 'closed' and s.version_id is not null

-- name: doubt_uncut
-- Those who were next to get a message of this rung: the following starters, and whoever has fallen to it. In
-- the lost time their batches may have been cut and sent under ids that nobody knows any more. They are listed
-- as unknown, and only a person may decide to write to them again.
with starters as materialized (
    select position, person_id, taxpayer_ids, org_id, reach from recipient
    where period = %(period)s and round_id = %(round_id)s and first_step = %(step)s and position > %(cursor)s
    order by position limit %(limit)s
), fallers as materialized (
    select null::int as position, m.person_id, m.taxpayer_ids, m.org_id, m.reach
    from batch b
    join message m on m.period = b.period and m.shard = b.shard
         and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
    join round_step s on s.round_id = m.round_id and s.step = m.step
    where b.round_id = %(round_id)s and b.step < %(step)s and m.period = %(period)s
      and (m.reach >> %(step)s) & 1 = 1
      and (m.reach >> (m.step + 1)) & ((1 << (%(step)s - m.step - 1)) - 1) = 0
      and (m.state = 4 or m.state in (1, 2) and m.at + s.wait <= (select business_now()))
      and not exists (select from message n where n.period = m.period and n.person_id = m.person_id
                      and n.round_id = m.round_id and n.step > m.step)
), due as materialized (
    select d.*, coalesce(a.dest, 0) as dest, (row_number() over (order by d.org_id, d.person_id) - 1)::int as place
    from (select * from starters union all select * from fallers) d
    left join address a on a.person_id = d.person_id and a.kind = %(kind)s
), slots as materialized (
    select slot, nextval('batch_id') as id from generate_series(0, (select max(place) / 1000 from due)) as slot
), batches as (
    insert into batch (shard, id, period, round_id, step, gateway_id, lane, n, watermark, settled, state)
    select s.id %% 8, s.id, %(period)s, %(round_id)s, %(step)s, %(gateway_id)s, %(lane)s,
           count(*), count(*), count(*), 1
    from due d join slots s on s.slot = d.place / 1000 group by s.id
), messages as (
    insert into message (period, shard, id, round_id, step, person_id, org_id, reach, dest, state, tries, code,
                         at, sent_at, tried_at, taxpayer_ids)
    select %(period)s, s.id %% 8, s.id * 1000 + d.place %% 1000, %(round_id)s, %(step)s, d.person_id, d.org_id,
           d.reach, d.dest, 1, 1, 'quarantine', (select business_now()), (select business_now()), %(since)s,
           d.taxpayer_ids
    from due d join slots s on s.slot = d.place / 1000
), counts as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select %(round_id)s, %(step)s, org_id, 1, count(*), sum(cardinality(taxpayer_ids)) from due group by org_id
), passed as (
    update round_step set cursor_position = greatest(cursor_position, (select max(position) from due))
    where round_id = %(round_id)s and step = %(step)s and exists (select from due where position is not null)
)
select count(*)::int as messages from due
