-- name: lock
select pg_try_advisory_lock(%(space)s, hashtext(%(group)s)) as locked;

-- name: unlock
select pg_advisory_unlock(%(space)s, hashtext(%(group)s));

-- name: bury
-- The lock is ours, so whoever still stands as running is dead.
update import_file set state = 'failed', finished_at = now() where kind = %(kind)s and state = 'running';

-- name: start
insert into import_file (kind, name, sha256, mapping, by, org_id)
values (%(kind)s, %(name)s, %(sha256)s, %(mapping)s, %(by)s, %(org_id)s)
returning id;

-- name: save
update import_file
set state = %(state)s, rows_read = %(read)s, rows_good = %(read)s - %(bad)s, rows_bad = %(bad)s,
    rows_new = %(new)s, rows_changed = %(changed)s, rows_same = %(same)s, values_left_out = %(left_out)s,
    finished_at = case when %(state)s <> 'running' then now() end
where id = %(id)s;

-- name: errors
select f.name, e.row_number, e.field, e.value_masked, e.reason, e.refused
from import_error e join import_file f on f.id = e.import_id
where e.import_id = %(id)s
order by e.row_number, e.field;
