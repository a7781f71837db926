-- name: inside
select t.id from taxpayer t join org_unit o on o.id = t.org_id
where t.id = any(%(ids)s::int[]) and o.path like %(path)s || '%%';
