-- name: campaign_of
-- The campaign within the caller's scope.
select c.id, c.code, c.name, c.kind, c.state, c.done_segment, c.org_id, business_now() as now
from campaign c join org_unit o on o.id = c.org_id, org_unit scope
where c.id = %(campaign_id)s and scope.id = %(scope)s
  and (o.path like scope.path || '%%' or scope.path like o.path || '%%')

-- name: rounds_of
-- In their order.
select id, ordinal, name, state, starts_at, ends_at, started_at, finished_at, audience, planned, period
from round where campaign_id = %(campaign_id)s order by ordinal

-- name: sets_of
-- The frozen sets of all rounds.
select s.round_id, s.ordinal, s.kind, s.reason, s.size, s.data from round_set s join round r on r.id = s.round_id
where r.campaign_id = %(campaign_id)s order by s.round_id, s.ordinal

-- name: states_of
-- Messages and household-times by round, step and state within the scope.
select m.round_id, m.step, s.channel, m.state, sum(m.n)::int as messages, sum(m.households)::int as households
from message_count m
join round r on r.id = m.round_id join round_step s on s.round_id = m.round_id and s.step = m.step
join org_unit o on o.id = m.org_id, org_unit scope
where r.campaign_id = %(campaign_id)s and scope.id = %(scope)s and o.path like scope.path || '%%'
group by m.round_id, m.step, s.channel, m.state having sum(m.n) <> 0 order by m.round_id, m.step, m.state

-- name: handed_of
-- Households that rungs have handed to staff, by round, rung and state within the scope.
select h.round_id, h.step, s.channel, count(*) filter (where h.state = 0)::int as open,
       count(*) filter (where h.state = 1)::int as done, count(*) filter (where h.state = 2)::int as given_up
from handover h join round r on r.id = h.round_id
join round_step s on s.round_id = h.round_id and s.step = h.step
join org_unit o on o.id = h.org_id, org_unit scope
where r.campaign_id = %(campaign_id)s and scope.id = %(scope)s and o.path like scope.path || '%%'
group by h.round_id, h.step, s.channel order by h.round_id, h.step

-- name: states_by_org
-- Rolled up to the units right below the scope: a path is made of ids, so the one behind the scope's own tells the unit.
with counted as materialized (
    select m.org_id, m.state, sum(m.n) as messages, sum(m.households) as households
    from message_count m join round r on r.id = m.round_id
    where r.campaign_id = %(campaign_id)s group by m.org_id, m.state
)
select u.id as org_id, u.name, c.state, sum(c.messages)::int as messages, sum(c.households)::int as households
from counted c join org_unit o on o.id = c.org_id join org_unit scope on scope.id = %(scope)s
join org_unit u on u.id = coalesce(nullif(split_part(substr(o.path, length(scope.path) + 1), '.', 1), '')::int, scope.id)
where o.path like scope.path || '%%'
group by u.id, u.name, c.state having sum(c.messages) <> 0 order by u.id, c.state

-- name: opted_out_since
-- Who refused while the campaign ran, of those who may be told for a household: its contact, or whoever holds a role.
select count(distinct o.person_id)::int as n
from opt_out o
join lateral (select taxpayer_id from contact where person_id = o.person_id
              union select taxpayer_id from role where person_id = o.person_id) c on true
join taxpayer t on t.id = c.taxpayer_id
join org_unit u on u.id = t.org_id, org_unit scope, campaign k
where k.id = %(campaign_id)s and scope.id = %(scope)s and u.path like scope.path || '%%'
  and o.at >= k.created_at
