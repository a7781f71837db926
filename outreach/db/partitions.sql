-- name: partitions
-- Every month of the partitioned tables with its size on disk, indexes included. The number of rows is what the
-- server last counted; -1: never.
select p.relname as parent, c.relname as name, substring(c.relname from '[0-9]{6}$')::int as period,
       c.reltuples::bigint as rows, pg_total_relation_size(c.oid) as bytes
from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
where p.relkind = 'p' and c.relkind = 'r' and p.relnamespace = current_schema()::regnamespace
order by period, parent

-- name: columns
-- In their order, with the types as PostgreSQL names them.
select attname as name, format_type(atttypid, null) as type from pg_attribute
where attrelid = to_regclass(%(table)s) and attnum > 0 and not attisdropped order by attnum

-- name: ensure
-- Makes a month's table and attaches it, if it is not there.
select ensure_period(%(parent)s, %(period)s)
