-- name: lock_campaign
-- Whoever decides about a campaign holds it; a round that starts does so too.
select id, state, created_by, editors, approved_hash, kind, allowances,
       exists (select from round r where r.campaign_id = c.id and r.started_at is not null) as has_started
from campaign c where id = %(campaign_id)s for update

-- name: bind_versions
-- From here on the content stands still; what has been sent keeps its own.
update round_step s set version_id = (
    select id from template_version v where v.template_id = s.template_id order by version desc limit 1)
from round r where r.id = s.round_id and r.campaign_id = %(campaign_id)s and r.state = 'scheduled'

-- name: unbound_steps
-- A template without a version cannot be sent.
select r.name, s.step from round_step s join round r on r.id = s.round_id
where r.campaign_id = %(campaign_id)s and s.version_id is null

-- name: ask
-- Somebody, or the scheduler, asks for a signature over exactly this.
insert into campaign_review (campaign_id, what, asked_by, note, hash, covered, round_id, ends_at)
values (%(campaign_id)s, %(what)s, %(by)s, %(note)s, %(hash)s, %(covered)s, %(round_id)s, %(ends_at)s)

-- name: open_review
-- What waits for a decision.
select id, asked_by, hash, covered, round_id, ends_at from campaign_review
where campaign_id = %(campaign_id)s and what = %(what)s and decision is null

-- name: decide
-- Once; a refusal keeps its reason.
update campaign_review set decision = %(decision)s, decided_by = %(by)s, decided_at = now(), reason = %(reason)s
where campaign_id = %(campaign_id)s and what = %(what)s and decision is null

-- name: enter_review
-- Whoever submits is one of its makers.
update campaign set state = 'in_review', approved_by = null,
       editors = case when %(by)s = any (editors) then editors else editors || %(by)s::text end
where id = %(campaign_id)s

-- name: approve
-- Two persons: the check constraints refuse its makers.
update campaign set state = case when %(has_started)s then 'running' else 'approved' end,
       approved_by = %(by)s, approved_hash = %(hash)s
where id = %(campaign_id)s and state = 'in_review'

-- name: back_to_draft
-- A signature that there was is void.
update campaign set state = 'draft', approved_by = null, approved_hash = null where id = %(campaign_id)s

-- name: withdraw_emergency
-- What one person has started and what has not begun needs no review any more.
update emergency_start set decision = 'withdrawn', decided_by = %(by)s, decided_at = business_now()
where campaign_id = %(campaign_id)s and decision is null

-- name: last_signed
-- What the last signature covered, to tell what has changed since.
select covered
from (select covered, decided_at as at from campaign_review
      where campaign_id = %(campaign_id)s and decision = 'approved'
      union all
      select covered, made_at from emergency_start where campaign_id = %(campaign_id)s) signed
order by at desc limit 1

-- name: contents
-- What the steps say, as bound.
select r.ordinal, s.step, t.channel, t.name, v.content, v.variables
from round_step s join round r on r.id = s.round_id join template_version v on v.id = s.version_id
join template t on t.id = v.template_id
where r.campaign_id = %(campaign_id)s and r.state = 'scheduled' order by r.ordinal, s.step

-- name: head
-- What the guard looks at beside the contents.
select name, purpose, legal_basis, kind, allowances,
       array(select jsonb_object_keys(variables)) || array(select code from attribute) as given
from campaign where id = %(campaign_id)s
