-- name: changed_chunks
-- One statement, one snapshot: all sets are of the same moment. `known` holds for each key the versions that
-- the caller has, by chunk; only chunks that differ come back. A version names one content for ever (it is
-- drawn from a sequence), so "different" is enough and "newer" is not asked. A transaction that has written
-- may see chunks that a roll-back will take away again: what it reads is not to be kept.
with known as materialized (
    select k.set_key, k.versions::bigint[] as versions
    from unnest(%(keys)s::text[], %(known)s::text[]) as k (set_key, versions)
)
select c.set_key, c.hi, c.version, c.data, pg_current_xact_id_if_assigned() is not null as has_written
from known join set_chunk c using (set_key)
where c.version is distinct from known.versions[c.hi + 1];

-- name: subtree_stamps
-- A fingerprint of all member sets at or below each unit: it differs if any of them changed, or if a unit
-- came or went. Paths are collated "C" and end in a dot, and "/" follows "." there.
select root.id, bit_xor(hashint8extended(c.version, unit.id::bigint << 16 | c.hi)) as stamp
from org_unit root
join org_unit unit on unit.path >= root.path and unit.path < left(root.path, -1) || '/'
join set_chunk c on c.set_key = 'org:' || unit.id
where root.id = any(%(ids)s::int[])
group by root.id;

-- name: subtree_units
select unit.id
from org_unit root
join org_unit unit on unit.path >= root.path and unit.path < left(root.path, -1) || '/'
where root.id = %(id)s
order by unit.id;
