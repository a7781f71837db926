-- name: quotas_over
-- Of a unit and all above it.
select o.name as unit, o.id = own.id as is_own, q.messages, q.days, q.set_by, q.set_at
from contact_quota q join org_unit o on o.id = q.org_id, org_unit own
where own.id = %(org_id)s and own.path like o.path || '%%' order by o.level

-- name: set_quota
-- The last word of a unit.
insert into contact_quota (org_id, messages, days, set_by) values (%(org_id)s, %(messages)s, %(days)s, %(by)s)
on conflict (org_id) do update
set messages = excluded.messages, days = excluded.days, set_by = excluded.set_by, set_at = now()

-- name: drop_quota
-- Only the unit's own.
delete from contact_quota where org_id = %(org_id)s returning org_id

-- name: standing
-- Rounds under way that were planned in the days before a moment: whomever they name has been told or is about to be.
select r.id, s.data from round r join round_set s on s.round_id = r.id and s.kind = 'planned'
where r.state in ('running', 'paused') and r.started_at > %(moment)s::timestamptz - %(days)s * interval '1 day'

-- name: contacted
-- Taxpayers named in the days before a moment, by whichever bureau's campaign, by how many rounds: those named so
-- often that the rounds under way (`standing`, which are counted apart) can fill the quota.
select times, array_agg(id) as ids
from (
    select t.id, least(count(distinct m.round_id), %(quota)s)::int as times
    from message m, unnest(m.taxpayer_ids) as t (id)
    where m.period = any(%(periods)s) and m.state between 1 and 5 and m.round_id <> all(%(standing)s::int[])
      and m.sent_at > %(moment)s::timestamptz - %(days)s * interval '1 day'
    group by t.id having count(distinct m.round_id) >= %(least)s) found
group by times

-- name: few_contacted
-- The same for a few households, found by those who may be told for them now: by the index of persons.
select times, array_agg(id) as ids
from (
    select t.id, least(count(distinct m.round_id), %(quota)s)::int as times
    from (select taxpayer_id, person_id from contact where taxpayer_id = any(%(few)s::int[])
          union select taxpayer_id, person_id from role where taxpayer_id = any(%(few)s::int[])) c
    join message m on m.person_id = c.person_id, unnest(m.taxpayer_ids) as t (id)
    where t.id = c.taxpayer_id
      and m.period = any(%(periods)s) and m.state between 1 and 5 and m.round_id <> all(%(standing)s::int[])
      and m.sent_at > %(moment)s::timestamptz - %(days)s * interval '1 day'
    group by t.id having count(distinct m.round_id) >= %(least)s) found
group by times
