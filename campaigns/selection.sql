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
-- The same for a few households, found by those who are told for them now: by the index of persons.
select times, array_agg(id) as ids
from (
    select t.id, least(count(distinct m.round_id), %(quota)s)::int as times
    from contact c join message m on m.person_id = c.person_id, unnest(m.taxpayer_ids) as t (id)
    where c.taxpayer_id = any(%(few)s::int[]) and t.id = c.taxpayer_id
      and m.period = any(%(periods)s) and m.state between 1 and 5 and m.round_id <> all(%(standing)s::int[])
      and m.sent_at > %(moment)s::timestamptz - %(days)s * interval '1 day'
    group by t.id having count(distinct m.round_id) >= %(least)s) found
group by times
