-- name: rounds_to_fit
-- Rounds that have still to begin and are spread over days, as their planning reads them.
select r.id, r.name, r.segment, r.starts_at, r.ends_at, r.stagger, r.canary_permille, c.segment as campaign_segment,
       c.done_segment, c.exempt_segment, c.dispute_segment, c.kind, c.org_id, c.holdout_permille, c.holdout_seed,
       c.quota_messages, c.quota_days, c.care_path, c.contact_roles, business_now() as now
from round r join campaign c on c.id = r.campaign_id
where c.id = %(campaign_id)s and r.state = 'scheduled' and r.stagger <> '{}' and r.anchor_attribute is null
order by r.ordinal

-- name: rungs_to_fit
-- The ladder of one of them.
select step, channel from round_step where round_id = %(round_id)s order by step
