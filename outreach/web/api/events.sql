-- name: in_scope
-- Taxpayers by id or by the blind index of their number, cut to the scope of the key.
select t.id, t.tax_no_bidx from taxpayer t join org_unit o on o.id = t.org_id
where (t.id = any(%(ids)s::int[]) or t.tax_no_bidx = any(%(indexes)s::bytea[]))
  and o.path like %(path)s || '%%';
