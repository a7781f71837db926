-- name: start_run
-- One row per issue: how many households, documents, corrections and benefit lines it made.
insert into statement_run (kind, year, scope_org_id, by, reason)
values (%(kind)s, %(year)s, %(scope)s, %(by)s, %(reason)s)
returning id;

-- name: finish_run
update statement_run
set households = %(households)s, documents = %(documents)s, corrections = %(corrections)s,
    benefits = %(benefits)s, finished_at = business_now()
where id = %(run)s;

-- name: scope
-- The subtree of the unit, and the province (the root of its path) whose parameters apply.
select unit.path, unit.name, root.code as province
from org_unit unit join org_unit root on root.path = split_part(unit.path, '.', 1) || '.'
where unit.id = %(scope)s;

-- name: pages
-- Where the blocks end, found once, so that several can be read at the same time.
select max(id) as last, count(*) as n
from (select t.id, (row_number() over (order by t.id) - 1) / %(block)s as page
      from taxpayer t join org_unit o on o.id = t.org_id
      where o.path like %(path)s and (%(chosen)s::int[] is null or t.id = any(%(chosen)s))) numbered
group by page
order by page;

-- name: snapshot
-- Facts and the documents that exist are read at one moment, see issue.py.
set transaction isolation level repeatable read, read only;

-- name: households
-- A block in order of id. A natural person is named by the person who holds the role self.
select t.id, t.kind, t.name, t.tax_no_enc, o.name as authority, p.id as person_id, p.name_enc
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
select taxpayer_id, year, credit_grade, income::text as income, prepaid::text as prepaid, tax_due::text as tax_due
from annual_record
where taxpayer_id = any(%(ids)s) and year in (%(year)s, %(year)s - 1);

-- name: latest
select distinct on (taxpayer_id) taxpayer_id, id, version, facts_tag
from statement
where taxpayer_id = any(%(ids)s) and kind = %(kind)s and year = %(year)s
order by taxpayer_id, version desc;

-- name: take_ids
select nextval('statement_id') as id from generate_series(1, %(n)s);
