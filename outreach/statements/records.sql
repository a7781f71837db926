-- name: start_import
insert into import_file (kind, name, sha256, by) values (%(kind)s, %(name)s, %(sha256)s, %(by)s) returning id;

-- name: finish_import
update import_file
set state = 'finished', rows_read = %(read)s, rows_good = %(good)s, rows_bad = %(bad)s, rows_new = %(new)s,
    rows_changed = %(changed)s, rows_same = %(same)s, finished_at = business_now()
where id = %(id)s;

-- name: fail_import
update import_file set state = 'failed', finished_at = business_now() where id = %(id)s;

-- name: find_taxpayers
-- The province is the root of the unit's path: its parameters apply to the household.
select t.tax_no_bidx, t.id, root.code as province
from taxpayer t
join org_unit unit on unit.id = t.org_id
join org_unit root on root.path = split_part(unit.path, '.', 1) || '.'
where t.tax_no_bidx = any(%(indexes)s);

-- name: tax_records_block
create temp table block (like tax_record) on commit drop;

-- name: tax_records_merge
-- What is the same is not written again: a file that comes twice costs no new row version.
with merged as (
    insert into tax_record as old select * from block
    on conflict (taxpayer_id, month, tax_type) do update
    set declared = excluded.declared, paid = excluded.paid, refunded = excluded.refunded,
        late_fee = excluded.late_fee
    where (old.declared, old.paid, old.refunded, old.late_fee)
        is distinct from (excluded.declared, excluded.paid, excluded.refunded, excluded.late_fee)
    returning taxpayer_id, month / 100 as year, xmax = 0 as is_new)
select count(*) filter (where is_new) as new, count(*) filter (where not is_new) as changed,
       (select array_agg(distinct array[taxpayer_id, year]) from merged
        where exists (select from statement_standing where ended_at is null)) as moved
from merged;

-- name: benefits_of_years
-- What stands already of the benefits that have limits within a year (yearly.py).
select taxpayer_id, month, benefit_code, item, inputs
from benefit_record
where taxpayer_id = any(%(ids)s) and month between %(first)s and %(until)s and benefit_code = any(%(codes)s);

-- name: benefit_records_block
-- Without the table's constraints: `claimed` is null where a record is withdrawn.
create temp table block on commit drop as select * from benefit_record with no data;

-- name: benefit_records_merge
with gone as (
    delete from benefit_record old using block
    where block.claimed is null and old.taxpayer_id = block.taxpayer_id and old.month = block.month
      and old.benefit_code = block.benefit_code and old.item = block.item
    returning old.taxpayer_id, old.month / 100 as year),
merged as (
    insert into benefit_record as old select * from block where claimed is not null
    on conflict (taxpayer_id, month, benefit_code, item) do update
    set claimed = excluded.claimed, inputs = excluded.inputs, amount = excluded.amount
    where (old.claimed, old.inputs, old.amount)
        is distinct from (excluded.claimed, excluded.inputs, excluded.amount)
    returning taxpayer_id, month / 100 as year, xmax = 0 as is_new)
select count(*) filter (where is_new) as new,
       count(*) filter (where not is_new) + (select count(*) from gone) as changed,
       (select array_agg(distinct array[taxpayer_id, year])
        from (select taxpayer_id, year from merged union all select * from gone) touched
        where exists (select from statement_standing where ended_at is null)) as moved
from merged;

-- name: annual_records_block
create temp table block (like annual_record) on commit drop;

-- name: annual_records_merge
with merged as (
    insert into annual_record as old select * from block
    on conflict (taxpayer_id, year) do update
    set credit_grade = excluded.credit_grade, income = excluded.income, prepaid = excluded.prepaid,
        tax_due = excluded.tax_due, withheld = excluded.withheld
    where (old.credit_grade, old.income, old.prepaid, old.tax_due, old.withheld)
        is distinct from (excluded.credit_grade, excluded.income, excluded.prepaid, excluded.tax_due,
                          excluded.withheld)
    returning taxpayer_id, year::int, xmax = 0 as is_new)
select count(*) filter (where is_new) as new, count(*) filter (where not is_new) as changed,
       (select array_agg(distinct array[taxpayer_id, year]) from merged
        where exists (select from statement_standing where ended_at is null)) as moved
from merged;

-- name: lock
-- Two files with the same households would otherwise lock each other's rows in another order.
select pg_advisory_xact_lock(7640008);
