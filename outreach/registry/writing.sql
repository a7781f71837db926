-- name: reserve
select array_agg(nextval(%(sequence)s::regclass)::int) as ids from generate_series(1, %(count)s);

-- name: find_persons
select p.id_no_bidx, p.id, p.digest, p.language, p.special_care
from generate_series(1, length(%(keys)s::bytea), 16) as at
join person p on p.id_no_bidx = substring(%(keys)s::bytea from at for 16);

-- name: change_persons
-- What the file does not say stays as it is.
update person p
set name_enc = n.name, digest = n.digest, language = coalesce(n.language, p.language),
    special_care = coalesce(n.care, p.special_care), updated_at = now()
from unnest(%(ids)s::int[], %(names)s::bytea[], %(digests)s::bytea[], %(languages)s::text[],
            %(cares)s::boolean[]) as n (id, name, digest, language, care)
where p.id = n.id;

-- name: find_addresses
select person_id, kind, id, bidx from address where person_id = any(%(ids)s);

-- name: change_addresses
-- Another address: what was learned about the old one says nothing about it.
update address a
set value_enc = n.value, bidx = n.bidx, dest = n.dest, usable = true, unusable_reason = null, rcs = null,
    rcs_learned_at = null, verified_at = null, updated_at = now()
from unnest(%(ids)s::int[], %(values)s::bytea[], %(bidx)s::bytea[], %(dests)s::bigint[])
    as n (id, value, bidx, dest)
where a.id = n.id;

-- name: taxpayers_of
select distinct taxpayer_id from role where person_id = any(%(ids)s);

-- name: choose_contacts
insert into contact (taxpayer_id, person_id)
select distinct on (r.taxpayer_id) r.taxpayer_id, r.person_id
from role r
left join lateral (
    select true as reachable from address a where a.person_id = r.person_id and a.usable limit 1
) a on true
where r.taxpayer_id = any(%(ids)s)
order by r.taxpayer_id, a.reachable nulls last,
    case r.role when 'self' then 0 when 'tax_filer' then 1 when 'finance_head' then 2
                when 'legal_representative' then 3 when 'invoice_clerk' then 4 else 5 end,
    r.person_id
on conflict (taxpayer_id) do update set person_id = excluded.person_id
where contact.person_id <> excluded.person_id;

-- name: roles
select taxpayer_id, role, person_id from role where taxpayer_id = any(%(ids)s);

-- name: end_roles
delete from role r
using unnest(%(taxpayers)s::int[], %(roles)s::text[], %(persons)s::int[]) as n (taxpayer_id, role, person_id)
where r.taxpayer_id = n.taxpayer_id and r.role = n.role and r.person_id = n.person_id;
