-- name: all
select t.id, t.kind, t.name, t.org_id, o.name as org_name, t.industry, t.registered_on
from taxpayer t join org_unit o on o.id = t.org_id
where o.path like %(path)s || '%%' and t.id > %(after)s order by t.id limit %(limit)s;

-- name: by_ids
select t.id, t.kind, t.name, t.org_id, o.name as org_name, t.industry, t.registered_on
from taxpayer t join org_unit o on o.id = t.org_id
where t.id = any(%(ids)s) and o.path like %(path)s || '%%' order by t.id;

-- name: own_names
select r.taxpayer_id, p.id, p.name_enc from role r join person p on p.id = r.person_id
where r.taxpayer_id = any(%(ids)s) and r.role = 'self';
