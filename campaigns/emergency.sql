-- name: rounds_of
-- What an emergency may not be: a rule for days or events to come, a round without a canary, or one that goes on for days.
select ordinal, name, canary_permille, coalesce(anchor_attribute, trigger ->> 'event') is not null as is_rule, ends_at > business_now() + %(longest)s as is_long
from round where campaign_id = %(campaign_id)s order by ordinal

-- name: owed
-- A review that nobody has given in time bars whoever started it from the next.
select c.code, c.name from emergency_start e join campaign c on c.id = e.campaign_id
where e.started_by = %(by)s and e.decision is null and e.due_at < business_now() order by e.due_at limit 1

-- name: start
-- One signature: nobody has approved it, and its rounds start by the hash alone.
update campaign set state = case when %(has_started)s then 'running' else 'approved' end, approved_by = null,
       approved_hash = %(hash)s,
       editors = case when %(by)s = any (editors) then editors else editors || %(by)s::text end
where id = %(campaign_id)s

-- name: note_start
-- With the moment until which another person looks at it.
insert into emergency_start (campaign_id, started_by, reason, hash, covered, due_at)
values (%(campaign_id)s, %(by)s, %(reason)s, %(hash)s, %(covered)s, business_now() + %(within)s) returning due_at

-- name: open_start
-- What waits for its review.
select id, started_by, hash, covered from emergency_start
where campaign_id = %(campaign_id)s and decision is null for update

-- name: review
-- Once; an objection keeps its reason.
update emergency_start set decision = %(decision)s, decided_by = %(by)s, decided_at = business_now(), note = %(note)s
where id = %(id)s

-- name: latest
-- The last start of a campaign, with what became of it.
select e.id, e.started_by, e.started_at, e.reason, encode(e.hash, 'hex') as hash, e.covered, e.due_at, e.decision,
       e.decided_by, e.decided_at, e.note, e.decision is null and e.due_at < business_now() as is_overdue
from emergency_start e where e.campaign_id = %(campaign_id)s order by e.id desc limit 1

-- name: waiting
-- Reviews that are to be given within a unit, the most urgent first.
select e.campaign_id, c.name as campaign_name, e.started_by, e.started_at, e.reason, e.due_at,
       e.due_at < business_now() as is_overdue
from emergency_start e join campaign c on c.id = e.campaign_id join org_unit o on o.id = c.org_id
where e.decision is null and o.path like %(path)s || '%%' order by e.due_at, e.id limit 50

-- name: note_overdue
-- Each is told once.
update emergency_start set overdue_at = business_now()
where decision is null and overdue_at is null and due_at < business_now() returning campaign_id, started_by
