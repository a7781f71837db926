-- name: taxpayers
select t.tax_no_bidx, t.id, t.org_id
from generate_series(1, length(%(keys)s::bytea), 16) as at
join taxpayer t on t.tax_no_bidx = substring(%(keys)s::bytea from at for 16);

-- name: in_scope
-- Persons who already act for a household of the scope.
select p.id_no_bidx
from generate_series(1, length(%(keys)s::bytea), 16) as at
join person p on p.id_no_bidx = substring(%(keys)s::bytea from at for 16)
where exists (
      select from role r join taxpayer t on t.id = r.taxpayer_id
      where r.person_id = p.id and t.org_id = any(%(org_ids)s));
