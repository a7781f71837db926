-- name: list
select t.id, t.code, t.name, t.channel, t.language, t.org_id, o.name as org_name,
       o.path like %(path)s || '%%' as is_own, v.version, v.content, v.variables, v.created_by, v.created_at
from template t join org_unit o on o.id = t.org_id
left join lateral (
    select * from template_version where template_id = t.id order by version desc limit 1) v on true
where (o.path like %(path)s || '%%' or %(path)s like o.path || '%%')
  and (t.name like %(search)s or t.code like %(search)s)
  and (%(channel)s = '' or t.channel = %(channel)s) and t.id > %(after)s
order by t.id limit %(limit)s;

-- name: count_channels
select t.channel, count(*)::int as n from template t join org_unit o on o.id = t.org_id
where o.path like %(path)s || '%%' or %(path)s like o.path || '%%' group by t.channel;

-- name: one
select t.id, t.code, t.name, t.channel, t.language, t.org_id, o.name as org_name,
       o.path like %(path)s || '%%' as is_own, v.id as version_id, v.version, v.content, v.variables,
       v.created_by, v.created_at
from template t join org_unit o on o.id = t.org_id
left join lateral (
    select * from template_version
    where template_id = t.id and (%(version)s::int is null or version = %(version)s)
    order by version desc limit 1) v on true
where t.id = %(id)s and (o.path like %(path)s || '%%' or %(path)s like o.path || '%%');

-- name: versions
select v.version, v.created_by, v.created_at, count(s.round_id)::int as used
from template_version v left join round_step s on s.version_id = v.id
where v.template_id = %(id)s group by v.id order by v.version desc;

-- name: filings
-- The accounts of a channel, and under which code each has filed a version.
select g.id, g.name, g.adapter, coalesce(f.provider_code, '') as code
from gateway g left join template_filing f on f.gateway_id = g.id and f.version_id = %(version_id)s
where g.channel = %(channel)s and g.state = 'active' order by g.name, g.id;
