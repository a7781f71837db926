-- name: ask
-- One request for the visits of a unit on a day.
insert into visit_request (org_id, asked_by, note, visit_on)
values (%(org_id)s, %(by)s, %(note)s, %(visit_on)s) returning id

-- name: put_in
-- Visits of the scope that nobody has asked for yet.
update work_item i set request_id = %(request_id)s from org_unit o
where o.id = i.org_id and o.path like %(path)s || '%%' and i.id = any(%(items)s)
  and i.kind = 'visit' and i.state = 'open' and i.request_id is null
returning i.id

-- name: lock_request
-- What waits for a decision, within the scope.
select v.id, v.asked_by from visit_request v join org_unit o on o.id = v.org_id
where v.id = %(request_id)s and v.decision is null and o.path like %(path)s || '%%' for update of v

-- name: decide
-- Once, by another person: the check constraint refuses whoever asked.
update visit_request set decision = %(decision)s, decided_by = %(by)s, decided_at = now(), reason = %(reason)s
where id = %(request_id)s

-- name: approve_items
-- From now on they may be assigned.
update work_item set approved_at = business_now() where request_id = %(request_id)s and state = 'open'

-- name: items_of
-- What a refusal closes.
select id from work_item where request_id = %(request_id)s and state = 'open' order by id for update

-- name: requests
-- Those of the scope, the undecided first.
select v.id, v.asked_by, v.asked_at, v.note, v.visit_on, v.decision, v.decided_by, v.decided_at, v.reason,
       o.name as org_name, count(i.id)::int as n, count(i.id) filter (where i.state = 'open')::int as open
from visit_request v join org_unit o on o.id = v.org_id left join work_item i on i.request_id = v.id
where o.path like %(path)s || '%%'
group by v.id, o.name order by v.decision is not null, v.id desc limit 50
