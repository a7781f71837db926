-- name: list
select s.id, s.name, s.expression, s.org_id, o.name as org_name, s.created_by, s.created_at,
       o.path like %(path)s || '%%' as is_own
from segment s join org_unit o on o.id = s.org_id
where (o.path like %(path)s || '%%' or %(path)s like o.path || '%%')
  and s.name like %(search)s and (%(before)s::bigint is null or s.id < %(before)s)
order by s.id desc limit %(limit)s;

-- name: one
select s.id, s.name, s.expression, s.org_id, o.name as org_name, s.created_by, s.created_at,
       o.path like %(path)s || '%%' as is_own
from segment s join org_unit o on o.id = s.org_id
where s.id = %(id)s and (o.path like %(path)s || '%%' or %(path)s like o.path || '%%');

-- name: save
insert into segment (name, expression, org_id, created_by)
values (%(name)s, %(expression)s, %(org_id)s, %(by)s)
on conflict (org_id, name) do update set expression = excluded.expression, created_by = excluded.created_by
returning id;

-- name: delete
delete from segment s using org_unit o
where s.id = %(id)s and o.id = s.org_id and o.path like %(path)s || '%%' returning s.id;
