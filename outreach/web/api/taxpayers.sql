-- name: in_scope
select 1 from taxpayer t join org_unit o on o.id = t.org_id
where t.id = %(id)s and o.path like %(path)s || '%%';

-- name: statements
-- The directory only: no content is opened.
select s.id, s.kind, s.year, s.version, s.issued_at, encode(s.content_hash, 'hex') as digest,
       not exists (select from statement newer where newer.supersedes = s.id) as is_current
from statement s where s.taxpayer_id = %(id)s order by s.year desc, s.version desc;
