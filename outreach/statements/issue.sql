-- name: scope
-- The subtree of the unit, and the province (the root of its path) whose parameters apply.
select unit.path, unit.name, root.code as province
from org_unit unit join org_unit root on root.path = split_part(unit.path, '.', 1) || '.'
where unit.id = %(scope)s;

-- name: data_as_of
-- The newest load of records: what came to the tax systems later is in no document of this issue.
select max(finished_at) as at
from import_file
where kind in ('tax_records', 'benefit_records', 'annual_records') and state = 'finished';

-- name: snapshot
-- Facts and the documents that exist are read at one moment, see issue.py.
set transaction isolation level repeatable read, read only;

-- name: households
-- A block in order of id. A natural person is named by the person who holds the role self.
select t.id, t.kind, t.name, t.tax_no_enc, o.name as authority, t.org_id, p.id as person_id, p.name_enc
from taxpayer t
join org_unit o on o.id = t.org_id
left join role r on r.taxpayer_id = t.id and r.role = 'self' and t.kind = 'natural_person'
left join person p on p.id = r.person_id
where t.id > %(after)s and t.id <= %(last)s and o.path like %(path)s and (%(chosen)s::int[] is null or t.id = any(%(chosen)s))
order by t.id;

-- name: taxes
-- Both years in one pass over the key; a tax type that was paid last year only still counts there.
select taxpayer_id, tax_type,
       coalesce(sum(declared) filter (where month >= %(first)s), 0.00)::text as declared,
       coalesce(sum(paid) filter (where month >= %(first)s), 0.00)::text as paid,
       coalesce(sum(refunded) filter (where month >= %(first)s), 0.00)::text as refunded,
       coalesce(sum(late_fee) filter (where month >= %(first)s), 0.00)::text as late_fee,
       coalesce(sum(paid) filter (where month < %(first)s), 0.00)::text as paid_last_year
from tax_record
where taxpayer_id = any(%(ids)s) and month between %(last_first)s and %(last_month)s
group by taxpayer_id, tax_type;

-- name: benefits
select taxpayer_id, month, benefit_code, claimed, inputs::text as inputs
from benefit_record
where taxpayer_id = any(%(ids)s) and month between %(first)s and %(last_month)s
order by taxpayer_id, month, benefit_code, item;

-- name: earlier
-- Amounts were computed when the records were loaded: the years before need no second computation.
select taxpayer_id, benefit_code,
       coalesce(sum(amount) filter (where month >= %(last_first)s), 0.00)::text as last_year,
       sum(amount)::text as before
from benefit_record
where taxpayer_id = any(%(ids)s) and month < %(first)s and claimed
group by taxpayer_id, benefit_code;

-- name: annual
select taxpayer_id, year, credit_grade, income::text as income, prepaid::text as prepaid, tax_due::text as tax_due,
       withheld
from annual_record
where taxpayer_id = any(%(ids)s) and year in (%(year)s, %(year)s - 1);

-- name: findings
-- What a scan found and nobody has closed since; of doubts that are not confirmed it matters only that they are.
select taxpayer_id, benefit_code, direction, state = 'confirmed' as confirmed, id,
       case when state = 'confirmed' then evidence_enc end as evidence_enc
from finding
where taxpayer_id = any(%(ids)s) and year = %(year)s and is_current and state <> 'closed'
order by taxpayer_id, benefit_code, direction;

-- name: scanned
-- Households of which a finished scan of the year would have told what it found.
select t.id
from taxpayer t join org_unit o on o.id = t.org_id
where t.id = any(%(ids)s) and exists (
    select from scan_run r join org_unit s on s.id = r.scope_org_id
    where r.year = %(year)s and r.finished_at is not null and o.path like s.path || '%%');

-- name: latest
select distinct on (taxpayer_id) taxpayer_id, id, version, facts_tag, withdrawn, coalesce(benefits, 0) as benefits
from statement
where taxpayer_id = any(%(ids)s) and kind = %(kind)s and year = %(year)s
order by taxpayer_id, version desc;
