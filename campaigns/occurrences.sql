-- name: rules_due
-- Rules whose window is open, with the days that were looked at. After the hour has struck and today has been looked
-- at, a rule is due again tomorrow.
select r.id, r.starts_at, business_now() as now,
       array(select day from round_day d where d.round_id = r.id) as seen
from round r join campaign c on c.id = r.campaign_id
where r.anchor_attribute is not null and r.state = 'scheduled' and c.state in ('approved', 'running')
  and r.starts_at <= business_now() and r.ends_at > business_now()
  and not exists (select from round_day d where d.round_id = r.id
                  and d.day = (business_now() at time zone 'Asia/Shanghai')::date)
order by r.id

-- name: lock_rule
-- Whoever comes second finds the day looked at.
select r.id, r.name, r.segment, r.anchor_attribute, r.anchor_days, c.segment as campaign_segment, c.org_id
from round r join campaign c on c.id = r.campaign_id
where r.id = %(round_id)s and not exists (
    select from round_day d where d.round_id = r.id and d.day = %(day)s)
for update of r

-- name: note_day
-- In the transaction that drew up the round.
insert into round_day (round_id, day, members, occurrence_id)
values (%(round_id)s, %(day)s, %(members)s, %(occurrence)s)

-- name: rule_is_stuck
-- Whoever asks why nothing comes of it is told.
update round set stuck_reason = %(reason)s where id = %(round_id)s and stuck_reason <> %(reason)s

-- name: add_occurrence
-- At once, and no longer than the approved window. The occurrence of a day lasts a day beyond its ladder's waits.
insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, stagger, canary_permille, canary_hold,
                   canary_failed_permille, canary_complaint_permille, canary_opt_out_permille, parent_id, occurs_on,
                   leaves_out_earlier)
select p.campaign_id, (select max(ordinal) + 1 from round where campaign_id = p.campaign_id), %(name)s, business_now(),
       case when %(day)s::date is null then p.ends_at else least(p.ends_at, business_now() + interval '1 day'
           + (select coalesce(sum(wait), interval '0') from round_step where round_id = p.id)) end,
       %(segment)s, p.stagger, p.canary_permille, p.canary_hold, p.canary_failed_permille,
       p.canary_complaint_permille, p.canary_opt_out_permille, p.id, %(day)s, %(leaves_out)s
from round p where p.id = %(parent_id)s returning id

-- name: copy_ladder
-- The versions that were signed; each occurrence has codes of its own.
insert into round_step (round_id, step, channel, template_id, version_id, wait)
select %(round_id)s, step, channel, template_id, version_id, wait from round_step where round_id = %(parent_id)s

-- name: evaluable_round
-- It has begun, is no rule and no occurrence, and there is time left.
select id, name, segment, ends_at from round
where id = %(round_id)s and campaign_id = %(campaign_id)s and started_at is not null and parent_id is null
  and anchor_attribute is null and trigger is null and state in ('running', 'paused') and ends_at > business_now()
