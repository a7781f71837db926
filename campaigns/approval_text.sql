-- name: covered_campaign
-- All that the campaign itself says; not its state, its signatures, or its turn among others.
select c.id, c.code, c.name, c.purpose, c.kind, c.legal_basis, c.org_id, c.segment, c.done_segment,
       c.exempt_segment, c.dispute_segment, c.holdout_permille, c.holdout_seed, c.quota_messages, c.quota_days,
       c.variables, c.quiet_from, c.quiet_to, c.allowances, c.care_path, c.contact_roles
from campaign c where c.id = %(campaign_id)s

-- name: covered_rounds
-- The waves in their order; what follows from a rule (an occurrence) is covered by the rule.
select id, ordinal, name, starts_at, ends_at, segment, stagger, canary_permille, canary_hold, canary_failed_permille,
       canary_complaint_permille, canary_opt_out_permille, anchor_attribute, anchor_days, trigger
from round where campaign_id = %(campaign_id)s and parent_id is null order by ordinal

-- name: covered_steps
-- The ladders with the content that is bound to them.
select s.round_id, s.step, s.channel, s.wait, t.code as template, t.name as template_name, v.version,
       encode(v.content_hash, 'hex') as content
from round_step s join round r on r.id = s.round_id join template t on t.id = s.template_id
left join template_version v on v.id = s.version_id
where r.campaign_id = %(campaign_id)s and r.parent_id is null order by r.ordinal, s.step
