-- name: labels
select code, name, kind, options from label where not withdrawn;

-- name: attributes
select code, name, type from attribute where not withdrawn;

-- name: taxpayers
-- With no scope everything is inside.
select t.tax_no_bidx, t.id,
       %(scope)s::int is null or o.path like (select path from org_unit where id = %(scope)s) || '%%' as inside
from taxpayer t join org_unit o on o.id = t.org_id
where t.tax_no_bidx = any(%(keys)s::bytea[]);

-- name: values
select distinct set_key from set_chunk where starts_with(set_key, %(prefix)s);
