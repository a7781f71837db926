-- name: last_chunk
select max(hi) as hi from set_chunk where set_key = %(key)s;

-- name: create_chunks
-- In the order of all locks. Who finds a chunk that another transaction has inserted and not yet committed
-- waits here; its next statement then sees the row.
insert into set_chunk (set_key, hi, version, data)
select place.set_key, place.hi, 0, %(data)b
from unnest(%(keys)s::text[], %(his)s::int[]) as place (set_key, hi)
order by place.set_key collate "C", place.hi
on conflict do nothing;

-- name: guard
select c.hi
from set_chunk c
join unnest(%(keys)s::text[], %(his)s::int[]) as place (set_key, hi) using (set_key, hi)
order by c.set_key, c.hi
for update of c;

-- name: lock_chunks
-- Rows are locked after sorting, so every writer locks in the same order.
select c.set_key, c.hi, c.data
from set_chunk c
join unnest(%(keys)s::text[], %(his)s::int[]) as place (set_key, hi) using (set_key, hi)
order by c.set_key, c.hi
for update of c;

-- name: write_chunks
-- The locks are held: the version that is drawn here is greater than the one that it replaces.
update set_chunk c
set version = nextval('set_version'), data = fresh.data
from unnest(%(keys)s::text[], %(his)s::int[], %(data)b::bytea[]) as fresh (set_key, hi, data)
where c.set_key = fresh.set_key and c.hi = fresh.hi;

-- name: log
insert into set_change (set_key, as_of, source, import_id, low, high, added, removed)
select change.set_key, %(as_of)s::date, %(source)s::text, %(import_id)s::int,
    change.low, change.high, change.added, change.removed
from unnest(%(keys)s::text[], %(lows)s::int[], %(highs)s::int[], %(added)b::bytea[], %(removed)b::bytea[])
    as change (set_key, low, high, added, removed);
