-- name: add_campaign
-- Quiet hours are copied from the kind, so that SQL can ask the clock.
insert into campaign (code, name, purpose, kind, legal_basis, org_id, segment, done_segment, exempt_segment,
                      dispute_segment, holdout_permille, holdout_seed, quota_messages, quota_days, variables,
                      quiet_from, quiet_to, created_by)
values (%(code)s, %(name)s, %(purpose)s, %(kind)s, %(legal_basis)s, %(org_id)s, %(segment)s, %(done_segment)s,
        %(exempt_segment)s, %(dispute_segment)s, %(holdout_permille)s, %(holdout_seed)s, %(quota_messages)s,
        %(quota_days)s, %(variables)s, %(quiet_from)s, %(quiet_to)s, %(created_by)s)
on conflict (code) do nothing returning id

-- name: add_round
-- Rounds are numbered from 1 in the order of their start.
insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment)
values (%(campaign_id)s, %(ordinal)s, %(name)s, %(starts_at)s, %(ends_at)s, %(segment)s) returning id

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

-- name: bind_versions
-- From here on the content stands still.
update round_step s set version_id = (
    select id from template_version v where v.template_id = s.template_id order by version desc limit 1)
from round r where r.id = s.round_id and r.campaign_id = %(campaign_id)s

-- name: approval_text
-- Everything that an approval covers, in one canonical text.
select jsonb_build_object(
    'campaign', to_jsonb(c) - array['id', 'state', 'approved_by', 'approved_hash', 'created_at'],
    'rounds', (select jsonb_agg(jsonb_build_object(
        'round', to_jsonb(r) - array['id', 'state', 'started_at', 'finished_at', 'audience', 'planned', 'period'],
        'steps', (select jsonb_agg(jsonb_build_object('step', s.step, 'channel', s.channel, 'wait', s.wait,
                                                      'version', s.version_id, 'content', encode(v.content_hash, 'hex'))
                                   order by s.step)
                  from round_step s left join template_version v on v.id = s.version_id where s.round_id = r.id))
        order by r.ordinal) from round r where r.campaign_id = c.id))::text as text,
    c.created_by, c.state
from campaign c where c.id = %(campaign_id)s for update

-- name: approve
-- Two persons: the check constraint refuses the maker.
update campaign set state = 'running', approved_by = %(by)s, approved_hash = %(hash)s
where id = %(campaign_id)s and state = 'draft' returning id

-- name: unbound_steps
-- A template without a version cannot be sent.
select r.name, s.step from round_step s join round r on r.id = s.round_id
where r.campaign_id = %(campaign_id)s and s.version_id is null
