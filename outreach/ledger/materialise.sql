-- name: lock_step
-- One process at a time cuts the batches of a step; the cursor moves in the same transaction. A closed step is
-- looked at again by whoever waited for its lock.
select s.round_id, s.step, s.channel, s.cursor_position, s.version_id, r.period, c.kind, c.weight,
       round_open_position(r.id) as open_position, r.lap is not null as answers, r.stagger, c.org_id,
       business_now() as now
from round_step s join round r on r.id = s.round_id join campaign c on c.id = r.campaign_id
where s.round_id = %(round_id)s and s.step = %(step)s and r.state = 'running' and s.state <> 'closed'
  and s.version_id is not null
for update of s skip locked

-- name: backlog
-- Messages that wait at each gateway of a channel, so that no more than two hours of sending stand ready; whether
-- it takes new ones; and whether its provider sends this version, which some have to have on file.
select g.id, coalesce(sum(b.n - b.settled) filter (where b.state = 0), 0)::bigint as waiting,
       coalesce(p.breaker, 'closed') <> 'open' as takes,
       g.adapter <> all(%(filed_only)s)
       or exists (select from template_filing f where f.gateway_id = g.id and f.version_id = %(version_id)s) as sends
from gateway g left join gateway_pace p on p.gateway_id = g.id left join batch b on b.gateway_id = g.id and b.state = 0
where g.channel = %(channel)s and g.state = 'active' group by g.id, p.breaker

-- name: cut
-- Starters, whose ladder begins at this step and whose slice has opened, and fallers, whom an earlier step failed
-- or who waited too long without a delivery, in the order of the organisation. An unknown message falls only where the law wants
-- the person told, and after the receipt deadline. A recipient whose address has gone since planning still
-- gets a row (dest 0): it fails there and falls to the next rung.
-- `next_at` is virtual time: the batches of a round follow each other at distances that shrink with its
-- campaign's weight, from the place where its account stands now, so that rounds of one lane take turns.
with starters as materialized (
    select position, person_id, taxpayer_ids, org_id, reach from recipient
    where period = %(period)s and round_id = %(round_id)s and first_step = %(step)s and position > %(cursor)s
      and position <= %(open)s
    order by position limit %(limit)s
), fallers as materialized (
    select null::int as position, m.person_id, m.taxpayer_ids, m.org_id, m.reach
    from batch b
    join message m on m.period = b.period and m.shard = b.shard
         and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
    join round_step s on s.round_id = m.round_id and s.step = m.step
    join gateway g on g.id = b.gateway_id
    where %(fallers)s and b.round_id = %(round_id)s and b.step < %(step)s and m.period = %(period)s
      and (m.reach >> %(step)s) & 1 = 1
      and (m.reach >> (m.step + 1)) & ((1 << (%(step)s - m.step - 1)) - 1) = 0
      and (m.state = 4
           or m.state = 2 and m.at + s.wait <= (select business_now())
           or m.state = 1 and %(statutory)s and m.not_before is null
              and m.at + g.receipt_deadline <= (select business_now()))
      and not exists (select from message n where n.period = m.period and n.person_id = m.person_id
                      and n.round_id = m.round_id and n.step > m.step)
    limit %(limit)s
), due as materialized (
    select d.*, coalesce(a.dest, 0) as dest, (row_number() over (order by d.org_id, d.person_id) - 1)::int as place
    from (select * from starters union all select * from fallers) d
    left join address a on a.person_id = d.person_id and a.kind = %(kind)s
), turns as materialized (
    select g.id, greatest(
        least(now(), (select min(next_at) from batch
                      where gateway_id = g.id and lane = %(lane)s and state = 0)),
        (select max(next_at) from batch
         where round_id = %(round_id)s and step = %(step)s and gateway_id = g.id and state = 0 and watermark = 0)
    ) as stands_at
    from (select distinct unnest(%(gateways)s::smallint[])) as g (id)
), slots as materialized (
    select slot, nextval('batch_id') as id,
           (%(gateways)s::smallint[])[1 + slot %% cardinality(%(gateways)s::smallint[])] as gateway_id
    from generate_series(0, (select max(place) / 1000 from due)) as slot
), batches as (
    insert into batch (shard, id, period, round_id, step, gateway_id, lane, n, next_at)
    select s.id %% 8, s.id, %(period)s, %(round_id)s, %(step)s, s.gateway_id, %(lane)s, count(*),
           t.stands_at + row_number() over (partition by s.gateway_id order by s.id)
                         * interval '6 milliseconds' / %(weight)s
    from due d join slots s on s.slot = d.place / 1000 join turns t on t.id = s.gateway_id
    group by s.id, s.gateway_id, t.stands_at
), messages as (
    insert into message (period, shard, id, round_id, step, person_id, org_id, reach, dest, at, taxpayer_ids)
    select %(period)s, s.id %% 8, s.id * 1000 + d.place %% 1000, %(round_id)s, %(step)s, d.person_id, d.org_id,
           d.reach, d.dest, (select business_now()), d.taxpayer_ids
    from due d join slots s on s.slot = d.place / 1000
), counts as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select %(round_id)s, %(step)s, org_id, 0, count(*), sum(cardinality(taxpayer_ids)) from due group by org_id
)
select count(*)::int as n, max(position) as last from due

-- name: move_cursor
-- In the transaction that cut the batches.
update round_step set cursor_position = %(cursor)s, state = 'open' where round_id = %(round_id)s and step = %(step)s
