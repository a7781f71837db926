-- name: drafted
-- As it was entered last.
select drafted from campaign where id = %(campaign_id)s

-- name: publish
-- A code that is published again is a new version.
insert into recipe (org_id, code, version, name, summary, year_label, body, campaign_id, published_by)
select %(org_id)s, %(code)s, coalesce(max(version), 0) + 1, %(name)s, %(summary)s, %(year_label)s, %(body)s,
       %(campaign_id)s, %(by)s
from recipe where org_id = %(org_id)s and code = %(code)s
returning id, version

-- name: withdraw
-- Campaigns that were made of it stay.
update recipe set withdrawn_at = business_now()
where id = %(id)s and withdrawn_at is null and org_id in (select id from org_unit where path like %(path)s || '%%')
returning code

-- name: book
-- The newest version of each that the unit itself or one above it has published and not withdrawn.
select distinct on (r.org_id, r.code) r.id, r.code, r.version, r.name, r.summary, r.year_label, r.body, r.published_by,
       r.published_at, o.name as org_name, o.path like %(path)s || '%%' as is_own
from recipe r join org_unit o on o.id = r.org_id
where %(path)s like o.path || '%%' and r.withdrawn_at is null
order by r.org_id, r.code, r.version desc

-- name: visible_templates
-- What a unit may use: its own and those of the units above it.
select distinct t.code, t.channel from template t join org_unit o on o.id = t.org_id
where %(path)s like o.path || '%%' and t.language = 'zh'
