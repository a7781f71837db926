-- name: list
-- Items of the scope, the one that is due first on top. `day` is the next midnight in Beijing.
select i.id, i.kind, i.state, i.outcome, i.person_id, i.taxpayer_id, i.org_id, o.name as org_name, i.assigned_to,
       i.approved_at, i.request_id, i.tries, i.next_at, i.due_at, i.closed_at, p.name_enc, p.language, p.special_care,
       extract(epoch from i.next_at)::bigint as place, w.names, w.households, w.campaigns,
       i.state = 'open' and i.next_at < %(day)s::timestamptz - interval '1 day' as is_overdue
from work_item i join org_unit o on o.id = i.org_id join person p on p.id = i.person_id
cross join lateral (
    select array_agg(distinct t.name) filter (where t.name is not null) as names,
           count(distinct h.taxpayer_id)::int as households,
           array_agg(distinct c.name) as campaigns
    from handover h join taxpayer t on t.id = h.taxpayer_id join round r on r.id = h.round_id
    join campaign c on c.id = r.campaign_id
    where h.item_id = i.id and (h.state = 0 or i.state <> 'open')
) w
where o.path like %(path)s || '%%'
  and (%(kind)s = '' or i.kind = %(kind)s)
  and case %(state)s when 'open' then i.state = 'open' when 'closed' then i.state <> 'open' else true end
  and (%(mine)s = '' or i.assigned_to = %(mine)s)
  and case %(due)s when 'today' then i.next_at < %(day)s when 'overdue' then i.next_at < %(day)s::timestamptz - interval '1 day'
                   when 'unapproved' then i.kind = 'visit' and i.request_id is null else true end
  and (%(after)s::bigint is null
       or (extract(epoch from i.next_at)::bigint, i.id) > (%(after)s::bigint, %(after_id)s::int))
order by extract(epoch from i.next_at)::bigint, i.id limit %(limit)s

-- name: one
-- One item of the scope.
select i.id, i.kind, i.state, i.outcome, i.person_id, i.taxpayer_id, i.org_id, o.name as org_name, i.assigned_to,
       i.approved_at, i.request_id, i.tries, i.next_at, i.due_at, i.closed_at, i.created_at, business_now() as now,
       v.asked_by, v.note, v.visit_on, v.decision, v.decided_by
from work_item i join org_unit o on o.id = i.org_id left join visit_request v on v.id = i.request_id
where i.id = %(item_id)s and o.path like %(path)s || '%%'

-- name: attempts
-- The last first.
select a.id, a.at, a.by, a.result, a.call_back_at, a.note_enc, i.kind
from work_attempt a join work_item i on i.id = a.item_id where a.item_id = %(item_id)s order by a.id desc

-- name: figures
-- By the units right below the scope.
select u.id as org_id, u.name,
       count(*) filter (where i.kind = 'call' and i.state = 'open')::int as calls_open,
       count(*) filter (where i.kind = 'call' and i.state = 'done')::int as calls_done,
       count(*) filter (where i.kind = 'call' and i.state = 'given_up')::int as calls_given_up,
       count(*) filter (where i.kind = 'visit' and i.state = 'open')::int as visits_open,
       count(*) filter (where i.kind = 'visit' and i.state = 'done')::int as visits_done,
       count(*) filter (where i.kind = 'visit' and i.state = 'given_up')::int as visits_given_up
from work_item i join org_unit o on o.id = i.org_id, org_unit u, org_unit scope
where scope.path = %(path)s and o.path like %(path)s || '%%'
  and (u.parent_id = scope.id and o.path like u.path || '%%' or u.id = scope.id and o.id = scope.id)
group by u.id, u.name order by u.id

-- name: handed
-- Households that the rungs of rounds have handed to staff, within the scope.
select h.round_id, h.step, count(*)::int as counted, count(*) filter (where h.state = 0)::int as open,
       count(*) filter (where h.state = 1)::int as done, count(*) filter (where h.state = 2)::int as given_up
from handover h join org_unit o on o.id = h.org_id
where h.round_id = any(%(ids)s) and o.path like %(path)s || '%%' group by h.round_id, h.step
