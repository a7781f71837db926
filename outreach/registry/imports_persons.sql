-- name: taxpayers
select tax_no_bidx, id, org_id from taxpayer where tax_no_bidx = any(%(keys)s::bytea[]);

-- name: in_scope
-- Persons who already act for a household of the scope.
select p.id_no_bidx from person p
where p.id_no_bidx = any(%(keys)s::bytea[])
  and exists (
      select from role r join taxpayer t on t.id = r.taxpayer_id
      where r.person_id = p.id and t.org_id = any(%(org_ids)s));
