-- name: find
select tax_no_bidx, id, digest, org_id from taxpayer where tax_no_bidx = any(%(keys)s::bytea[]);

-- name: change
update taxpayer t
set kind = n.kind, name = n.name, org_id = n.org_id, industry = n.industry, registered_on = n.registered_on,
    digest = n.digest, updated_at = now()
from unnest(%(ids)s::int[], %(kinds)s::text[], %(names)s::text[], %(org_ids)s::int[], %(industries)s::text[],
            %(dates)s::date[], %(digests)s::bytea[])
    as n (id, kind, name, org_id, industry, registered_on, digest)
where t.id = n.id;
