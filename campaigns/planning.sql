-- name: take_round
-- What is due is decided here, whoever ticks and however often. A crash rolls the whole plan back.
select r.id, r.campaign_id, r.name, r.segment, r.starts_at, r.ends_at, r.stagger, r.canary_permille, r.parent_id,
       r.leaves_out_earlier, c.segment as campaign_segment, c.done_segment, c.exempt_segment, c.dispute_segment,
       c.kind, c.org_id, c.holdout_permille, c.holdout_seed, c.quota_messages, c.quota_days, c.care_path, c.contact_roles,
       business_now() as now,
       extract(year from r.starts_at at time zone 'Asia/Shanghai')::int * 100
       + extract(month from r.starts_at at time zone 'Asia/Shanghai')::int as period
from round r join campaign c on c.id = r.campaign_id
where r.state = 'scheduled' and c.state in ('approved', 'running') and r.starts_at <= business_now()
  and r.ends_at > business_now() and r.anchor_attribute is null and r.trigger is null and r.id <> all(%(stuck)s::int[])
order by r.starts_at limit 1 for update of r, c skip locked

-- name: note_stuck
-- Whoever asks why it does not begin is told.
update round set stuck_reason = %(reason)s where id = %(round_id)s and stuck_reason <> %(reason)s

-- name: planned_earlier
-- The plans of the approved round and of all its occurrences.
select s.data from round_set s join round r on r.id = s.round_id
where s.kind = 'planned' and (r.id = %(parent_id)s or r.parent_id = %(parent_id)s)

-- name: steps_of
-- The ladder from top to bottom.
select step, channel from round_step where round_id = %(round_id)s order by step

-- name: begin_round
-- Planned in the same transaction. With its first round a campaign is under way.
with under_way as (
    update campaign c set state = 'running' from round r
    where r.id = %(round_id)s and c.id = r.campaign_id and c.state = 'approved'
)
update round set state = 'running', started_at = business_now(), period = %(period)s,
       audience = %(audience)s, planned = %(planned)s, stuck_reason = '' where id = %(round_id)s
