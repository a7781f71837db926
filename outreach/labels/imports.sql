-- name: labels
select code, name, kind, options from label where not withdrawn;

-- name: attributes
select code, name, type from attribute where not withdrawn;

-- name: taxpayers
-- Keys of 16 bytes, one after the other. With no scope everything is inside.
select t.tax_no_bidx, t.id,
       %(scope)s::int is null or o.path like (select path from org_unit where id = %(scope)s) || '%%' as inside
from generate_series(1, length(%(keys)s::bytea), 16) as at
join taxpayer t on t.tax_no_bidx = substring(%(keys)s::bytea from at for 16)
join org_unit o on o.id = t.org_id;

-- name: values
select distinct set_key from set_chunk where starts_with(set_key, %(prefix)s);
