-- name: add_campaign
-- Quiet hours are copied from the kind, so that SQL can ask the clock.
insert into campaign (code, name, purpose, kind, legal_basis, org_id, segment, done_segment, exempt_segment,
                      dispute_segment, holdout_permille, holdout_seed, quota_messages, quota_days, variables,
                      quiet_from, quiet_to, allowances, care_path, contact_roles, created_by, editors, drafted)
values (%(code)s, %(name)s, %(purpose)s, %(kind)s, %(legal_basis)s, %(org_id)s, %(segment)s, %(done_segment)s,
        %(exempt_segment)s, %(dispute_segment)s, %(holdout_permille)s, %(holdout_seed)s, %(quota_messages)s,
        %(quota_days)s, %(variables)s, %(quiet_from)s, %(quiet_to)s, %(allowances)s, %(care_path)s, %(contact_roles)s,
        %(created_by)s,
        array[%(created_by)s::text], %(drafted)s)
on conflict (code) do nothing returning id

-- name: add_round
-- Rounds are numbered from 1 in the order of their start.
insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, stagger, canary_permille, canary_hold,
                   canary_failed_permille, canary_complaint_permille, canary_opt_out_permille, anchor_attribute,
                   anchor_days, trigger)
values (%(campaign_id)s, %(ordinal)s, %(name)s, %(starts_at)s, %(ends_at)s, %(segment)s, %(stagger)s,
        %(canary_permille)s, %(canary_hold)s, %(canary_failed_permille)s, %(canary_complaint_permille)s,
        %(canary_opt_out_permille)s, %(anchor_attribute)s, %(anchor_days)s, %(trigger)s) returning id

-- name: date_attribute
-- What a round may be reckoned from.
select code from attribute where code = %(code)s and type = 'date'

-- name: add_step
-- The newest version of the template is bound when the campaign is approved.
insert into round_step (round_id, step, channel, template_id, wait)
select %(round_id)s, %(step)s, t.channel, t.id, %(wait)s from template t
where t.code = %(template)s and t.channel = %(channel)s and t.language = 'zh' and t.org_id = any(%(orgs)s)
order by t.org_id desc limit 1 returning template_id

-- name: org_line
-- The unit and all above it: what a unit may use of its superiors.
select o.id from org_unit o, org_unit own
where own.id = %(org_id)s and own.path like o.path || '%%' order by o.level

-- name: change_campaign
-- Everything but its code. Whoever changes it is one of its makers.
update campaign set name = %(name)s, purpose = %(purpose)s, kind = %(kind)s, legal_basis = %(legal_basis)s,
       org_id = %(org_id)s, segment = %(segment)s, done_segment = %(done_segment)s,
       exempt_segment = %(exempt_segment)s, dispute_segment = %(dispute_segment)s,
       holdout_permille = %(holdout_permille)s, holdout_seed = %(holdout_seed)s,
       quota_messages = %(quota_messages)s, quota_days = %(quota_days)s, variables = %(variables)s,
       quiet_from = %(quiet_from)s, quiet_to = %(quiet_to)s, allowances = %(allowances)s, care_path = %(care_path)s,
       contact_roles = %(contact_roles)s,       drafted = %(drafted)s,
       editors = case when %(created_by)s = any (editors) then editors else editors || %(created_by)s::text end
where id = %(campaign_id)s

-- name: drop_rounds
-- None of them has begun; their ladders go with them.
delete from round where campaign_id = %(campaign_id)s
