-- name: path
select id, path, name from org_unit where id = %(org_id)s;

-- name: subtree_ids
-- The path column is collated "C", so the prefix is a range of its unique index.
select id from org_unit where path like %(path)s || '%%' order by id;

-- name: choices
select id, name, level, path from org_unit
where path like %(path)s || '%%' and name like %(search)s
order by level, id limit %(limit)s;

-- name: ancestors
select id, name, level from org_unit where id = any(%(ids)s) order by level;
