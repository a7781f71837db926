-- name: round_of
-- What a round says of itself.
select r.id, r.campaign_id, r.name, r.state, r.period, r.audience, r.planned, c.name as campaign
from round r join campaign c on c.id = r.campaign_id where r.id = %(round_id)s

-- name: rounds_with_messages
-- Every round that was planned.
select id from round where period is not null order by id

-- name: sets_of
-- Audience, exclusions, planned.
select kind, reason, size, data from round_set where round_id = %(round_id)s order by ordinal

-- name: recipients_of
-- Households by their recipients: each exactly once.
select count(*)::int as persons, coalesce(sum(cardinality(taxpayer_ids)), 0)::int as households,
       count(distinct person_id)::int as distinct_persons
from recipient where period = %(period)s and round_id = %(round_id)s

-- name: recipient_households
-- To compare with the frozen set.
select coalesce(array_agg(t), '{}') as ids
from recipient r, unnest(r.taxpayer_ids) as t where r.period = %(period)s and r.round_id = %(round_id)s

-- name: recount
-- From the messages themselves.
select m.step, m.state, count(*)::int as n, sum(cardinality(m.taxpayer_ids))::int as households,
       count(distinct m.person_id)::int as persons
from batch b join message m on m.period = b.period and m.shard = b.shard
     and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
where b.round_id = %(round_id)s group by m.step, m.state order by m.step, m.state

-- name: reached_recount
-- Every household that a delivered or read message names.
select coalesce(array_agg(distinct t), '{}') as ids
from batch b join message m on m.period = b.period and m.shard = b.shard
     and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000, unnest(m.taxpayer_ids) as t
where b.round_id = %(round_id)s and m.state in (3, 5)

-- name: opened_recount
-- Every household of a link that was opened, and every household of a link that is still there: links leave some
-- weeks after their round, what was opened stays.
select coalesce(array_agg(distinct t) filter (where l.opened_at is not null), '{}') as opened,
       coalesce(array_agg(distinct t), '{}') as linked
from link l, unnest(l.taxpayer_ids) as t where l.round_id = %(round_id)s

-- name: counters
-- What the reports are made of.
select step, state, sum(n)::int as n, sum(households)::int as households
from message_count where round_id = %(round_id)s group by step, state having sum(n) <> 0 order by step, state

-- name: named_twice
-- A household that two messages of one step name.
select count(*)::int as n from (
    select m.step, t from batch b join message m on m.period = b.period and m.shard = b.shard
         and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000, unnest(m.taxpayer_ids) as t
    where b.round_id = %(round_id)s group by m.step, t having count(*) > 1) twice

-- name: batch_sizes
-- Every batch holds as many messages as it says.
select count(*)::int as wrong from (
    select b.id from batch b left join message m on m.period = b.period and m.shard = b.shard
         and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
    where b.round_id = %(round_id)s group by b.id, b.n having count(m.id) <> b.n) wrong

-- name: forgotten_recipients
-- Whom the cursor of a step has passed without leaving a message or handing her to staff.
select count(*)::int as n
from recipient r join round_step s on s.round_id = r.round_id and s.step = r.first_step
where r.period = %(period)s and r.round_id = %(round_id)s and r.position <= s.cursor_position
  and not exists (select from message m where m.period = r.period and m.person_id = r.person_id
                  and m.round_id = r.round_id and m.step = r.first_step)
  and not exists (select from handover h where h.person_id = r.person_id and h.round_id = r.round_id
                  and h.step = r.first_step)

-- name: handed
-- Households handed to calls and visits: as counted when it happened, and as they stand. `stray`: open in an
-- item that is closed; `idle`: items that are open for nothing.
select coalesce((select sum(n) from handover_count where round_id = %(round_id)s), 0)::int as counted,
       count(*) filter (where h.state = 0)::int as open, count(*) filter (where h.state = 1)::int as done,
       count(*) filter (where h.state = 2)::int as given_up,
       count(*) filter (where h.state = 0 and i.state is distinct from 'open')::int as stray,
       count(distinct i.id) filter (where i.state = 'open' and not exists (
           select from handover o where o.item_id = i.id and o.state = 0))::int as idle,
       coalesce(array_agg(h.taxpayer_id), '{}') as households
from handover h left join work_item i on i.id = h.item_id where h.round_id = %(round_id)s
