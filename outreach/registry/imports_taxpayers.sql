-- name: find
-- Blind indexes of 16 bytes, one after the other in one value: an array of thousands costs more to write
-- down and to read than the look-up itself.
select t.tax_no_bidx, t.id, t.digest, t.org_id
from generate_series(1, length(%(keys)s::bytea), 16) as at
join taxpayer t on t.tax_no_bidx = substring(%(keys)s::bytea from at for 16);

-- name: change
update taxpayer t
set kind = n.kind, name = n.name, org_id = n.org_id, industry = n.industry, registered_on = n.registered_on,
    digest = n.digest, updated_at = now()
from unnest(%(ids)s::int[], %(kinds)s::text[], %(names)s::text[], %(org_ids)s::int[], %(industries)s::text[],
            %(dates)s::date[], %(digests)s::bytea[])
    as n (id, kind, name, org_id, industry, registered_on, digest)
where t.id = n.id;
