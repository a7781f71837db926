-- name: list
-- Own subtree, and what the units above run.
select c.id, c.code, c.name, c.kind, c.state, c.org_id, o.name as org_name, c.created_by, c.approved_by,
       c.created_at, o.path like %(path)s || '%%' as is_own,
       count(r.id)::int as rounds, sum(r.audience)::bigint as audience, sum(r.planned)::bigint as planned,
       min(r.starts_at) as starts_at, max(r.ends_at) as ends_at
from campaign c join org_unit o on o.id = c.org_id left join round r on r.campaign_id = c.id
where (o.path like %(path)s || '%%' or %(path)s like o.path || '%%')
  and (c.name like %(search)s or c.code like %(search)s)
  and (%(state)s = '' or c.state = %(state)s)
  and (%(before)s::bigint is null or c.id < %(before)s)
group by c.id, o.id order by c.id desc limit %(limit)s;

-- name: count_states
select c.state, count(*)::int as n from campaign c join org_unit o on o.id = c.org_id
where o.path like %(path)s || '%%' or %(path)s like o.path || '%%' group by c.state;

-- name: one
select c.id, c.code, c.name, c.purpose, c.kind, c.legal_basis, c.org_id, o.name as org_name, c.state, c.segment,
       c.done_segment, c.exempt_segment, c.dispute_segment, c.holdout_permille, c.holdout_seed, c.quota_messages,
       c.quota_days, c.variables, c.allowances, c.care_path, c.contact_roles, c.editors,
       exists (select from round r where r.campaign_id = c.id and r.started_at is not null) as has_started,
       c.created_by, c.approved_by, c.created_at, encode(c.approved_hash, 'hex') as approved_hash,
       o.path like %(path)s || '%%' as is_own, o.path as org_path
from campaign c join org_unit o on o.id = c.org_id
where c.id = %(id)s and (o.path like %(path)s || '%%' or %(path)s like o.path || '%%');

-- name: rounds
select r.id, r.campaign_id, r.ordinal, r.name, r.starts_at, r.ends_at, r.segment, r.state, r.started_at,
       r.finished_at, r.audience, r.planned, r.stagger, r.canary_permille, r.canary_hold, r.canary_failed_permille,
       r.canary_complaint_permille, r.canary_opt_out_permille, r.anchor_attribute, r.anchor_days, r.parent_id,
       r.occurs_on, r.trigger, r.lap
from round r where r.campaign_id = any(%(ids)s) order by r.campaign_id, r.ordinal;

-- name: one_round
select r.id, r.campaign_id, r.ordinal, r.name, r.starts_at, r.ends_at, r.segment, r.state, r.started_at,
       r.finished_at, r.audience, r.planned, r.period, r.stagger, r.canary_permille, r.canary_position,
       r.canary_verdict, r.pause_reason, r.anchor_attribute, r.anchor_days, r.trigger, r.lap, r.parent_id, c.name as campaign_name, c.code as campaign_code, c.kind,
       c.state as campaign_state, c.quiet_from, c.quiet_to, o.name as org_name, o.path as org_path,
       o.path like %(path)s || '%%' as is_own, business_now() as now
from round r join campaign c on c.id = r.campaign_id join org_unit o on o.id = c.org_id
where r.id = %(id)s and (o.path like %(path)s || '%%' or %(path)s like o.path || '%%');

-- name: active
select r.id, r.campaign_id, r.ordinal, r.name, r.starts_at, r.ends_at, r.state, r.started_at, r.audience,
       r.planned, c.name as campaign_name, o.name as org_name, o.path like %(path)s || '%%' as is_own,
       o.path as org_path, business_now() as now
from round r join campaign c on c.id = r.campaign_id join org_unit o on o.id = c.org_id
where (o.path like %(path)s || '%%' or %(path)s like o.path || '%%')
  and c.state in ('running', 'paused', 'approved')
  and (r.state in ('running', 'paused', 'planning')
       or r.state = 'scheduled' and r.starts_at < business_now() + interval '7 days')
order by (r.state = 'scheduled'), r.starts_at desc limit %(limit)s;

-- name: steps
select s.round_id, s.step, s.channel, s.template_id, t.name as template_name, t.code as template_code, s.version_id, v.version, s.wait,
       s.state, s.code
from round_step s join template t on t.id = s.template_id left join template_version v on v.id = s.version_id
where s.round_id = any(%(ids)s) order by s.round_id, s.step;

-- name: running
select c.id, c.name, c.kind, c.segment, c.done_segment, c.exempt_segment, c.org_id, max(r.ends_at) as ends_at
from campaign c join org_unit o on o.id = c.org_id join round r on r.campaign_id = c.id
where (o.path like %(path)s || '%%' or %(path)s like o.path || '%%')
  and c.state in ('running', 'paused') and c.done_segment <> 'nobody'
group by c.id order by max(r.ends_at) limit %(limit)s;

-- name: reviews
select what, asked_by, asked_at, note, encode(hash, 'hex') as hash, covered, round_id, ends_at, decision, decided_by,
       decided_at, reason
from campaign_review where campaign_id = %(id)s order by id desc;
