-- name: list
-- In order of id, which is the order in which they were found.
select f.id, f.taxpayer_id, f.benefit_code, f.direction, f.year, f.version, f.supersedes, f.evidence_enc, f.state,
       f.reason, f.verified_by, f.verified_at, f.found_at, t.kind, t.name, t.tax_no_enc, o.name as org_name,
       p.id as person_id, p.name_enc
from finding f join taxpayer t on t.id = f.taxpayer_id join org_unit o on o.id = t.org_id
left join role s on s.taxpayer_id = t.id and s.role = 'self' and t.name is null
left join person p on p.id = s.person_id
where f.year = %(year)s and f.is_current and o.path like %(path)s || '%%'
  and (%(code)s = '' or f.benefit_code = %(code)s) and (%(direction)s = '' or f.direction = %(direction)s)
  and (%(state)s = '' or f.state = %(state)s) and f.id > %(after)s
order by f.id limit %(limit)s;

-- name: one
-- Any version, also an older one; `newer` is the version that has taken its place.
select f.id, f.taxpayer_id, f.benefit_code, f.direction, f.year, f.version, f.supersedes, f.evidence_enc, f.state,
       f.reason, f.verified_by, f.verified_at, f.found_at, t.kind, t.name, t.tax_no_enc, o.name as org_name,
       p.id as person_id, p.name_enc, (select n.id from finding n where n.supersedes = f.id) as newer
from finding f join taxpayer t on t.id = f.taxpayer_id join org_unit o on o.id = t.org_id
left join role s on s.taxpayer_id = t.id and s.role = 'self' and t.name is null
left join person p on p.id = s.person_id
where f.id = %(id)s and o.path like %(path)s || '%%';

-- name: others
-- All current findings of the same household, so that she is spoken to once.
select id, benefit_code, direction, year, state from finding
where taxpayer_id = %(taxpayer_id)s and is_current and id <> %(id)s and state <> 'closed'
order by year desc, benefit_code, direction;

-- name: years
select year, max(finished_at) as at from scan_run where finished_at is not null group by year order by year desc;

-- name: unit
select path from org_unit where id = %(id)s;
