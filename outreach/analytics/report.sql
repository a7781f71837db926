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

-- name: states_by_org
-- Rolled up to the units right below the scope.
select u.id as org_id, u.name, m.state, sum(m.n)::int as messages, sum(m.households)::int as households
from message_count m join round r on r.id = m.round_id
join org_unit o on o.id = m.org_id, org_unit scope, org_unit u
where r.campaign_id = %(campaign_id)s and scope.id = %(scope)s
  and (u.parent_id = scope.id and o.path like u.path || '%%' or u.id = scope.id and o.id = scope.id)
group by u.id, u.name, m.state having sum(m.n) <> 0 order by u.id, m.state

-- name: fallen_back
-- Of the rounds that send 5G messages: what the operator turned into SMS, and the SMS that went to whoever a 5G
-- message of the round had not reached. Parts are those billed.
select r.id as round_id, count(m.id) filter (where s.channel = 'rcs')::int as by_operator,
       count(m.id) filter (where s.channel = 'sms')::int as by_ladder, coalesce(sum(m.parts), 0)::int as parts
from round r
join batch b on b.round_id = r.id
join round_step s on s.round_id = r.id and s.step = b.step and s.channel in ('rcs', 'sms')
join message m on m.period = b.period and m.shard = b.shard
     and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
join org_unit o on o.id = m.org_id, org_unit scope
where r.campaign_id = %(campaign_id)s and scope.id = %(scope)s and o.path like scope.path || '%%'
  and exists (select from round_step x where x.round_id = r.id and x.channel = 'rcs')
  and case s.channel when 'rcs' then m.state in (3, 5) and m.code = 'sms_fallback'
      else m.sent_at is not null and exists (
          select from message e join round_step x on x.round_id = e.round_id and x.step = e.step
          where e.period = m.period and e.person_id = m.person_id and e.round_id = m.round_id
            and e.step < m.step and x.channel = 'rcs') end
group by r.id

-- name: opted_out_since
-- Who refused while the campaign ran.
select count(distinct o.person_id)::int as n
from opt_out o join contact c on c.person_id = o.person_id join taxpayer t on t.id = c.taxpayer_id
join org_unit u on u.id = t.org_id, org_unit scope, campaign k
where k.id = %(campaign_id)s and scope.id = %(scope)s and u.path like scope.path || '%%'
  and o.at >= k.created_at
