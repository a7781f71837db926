-- name: list
select i.id, i.kind, i.name, i.state, i.rows_read, i.rows_good, i.rows_bad, i.rows_new, i.rows_changed,
       i.rows_same, i.by, i.org_id, o.name as org_name, i.started_at, i.finished_at
from import_file i left join org_unit o on o.id = i.org_id
where (o.path like %(path)s || '%%' or i.org_id is null and %(path)s = split_part(%(path)s, '.', 1) || '.')
  and (%(before)s::bigint is null or i.id < %(before)s)
order by i.id desc limit %(limit)s;

-- name: one
select i.id, i.kind, i.name, i.state, i.rows_read, i.rows_good, i.rows_bad, i.rows_new, i.rows_changed,
       i.rows_same, i.by, i.org_id, o.name as org_name, i.started_at, i.finished_at
from import_file i left join org_unit o on o.id = i.org_id
where i.id = %(id)s
  and (o.path like %(path)s || '%%' or i.org_id is null and %(path)s = split_part(%(path)s, '.', 1) || '.');

-- name: errors
select row_number, field, value_masked, reason from import_error
where import_id = %(id)s order by row_number limit %(limit)s;
