-- name: scope
-- The subtree of the unit, and the root of its path: the province's parameters apply, and sets are read from there.
select unit.path, root.id as root_id, root.code as province
from org_unit unit join org_unit root on root.path = split_part(unit.path, '.', 1) || '.'
where unit.id = %(scope)s;

-- name: start
insert into scan_run (year, month, scope_org_id, by, catalogue_version)
values (%(year)s, %(month)s, %(scope)s, %(by)s, %(version)s)
returning id;

-- name: finish
update scan_run
set households = %(households)s, enjoyed = %(enjoyed)s, found = %(found)s, kept = %(kept)s, changed = %(changed)s,
    closed = %(closed)s, refused = %(refused)s, finished_at = business_now()
where id = %(run)s;

-- name: pages
-- Where the blocks end, found once.
select max(id) as last, count(*) as n
from (select t.id, (row_number() over (order by t.id) - 1) / %(block)s as page
      from taxpayer t join org_unit o on o.id = t.org_id
      where o.path like %(path)s || '%%') numbered
group by page
order by page;

-- name: lock
-- One block at a time is judged and written: two scans at once would otherwise write from different moments.
select pg_advisory_xact_lock(7640028);

-- name: households
select t.id, t.kind
from taxpayer t join org_unit o on o.id = t.org_id
where o.path like %(path)s || '%%' and t.id > %(after)s and t.id <= %(last)s
order by t.id;

-- name: records
select taxpayer_id, month, benefit_code, claimed, inputs::text
from benefit_record
where taxpayer_id = any(%(ids)s) and month between %(first)s and %(until)s
order by taxpayer_id, month, benefit_code, item;

-- name: dues
select taxpayer_id, month, tax_type, declared
from tax_record
where taxpayer_id = any(%(ids)s) and month between %(first)s and %(until)s and declared > 0
  and tax_type = any(%(types)s)
order by taxpayer_id, month, tax_type;

-- name: current
-- In one order, as whoever decides about findings takes them.
select id, taxpayer_id, benefit_code, direction, version, facts_tag, state
from finding
where taxpayer_id = any(%(ids)s) and year = %(year)s and is_current
order by id
for update;

-- name: take_ids
select nextval('finding_id') as id from generate_series(1, %(n)s);

-- name: supersede
-- Their facts have changed: what was verified is not what is true now.
update finding
set is_current = false, state = 'closed', closed_at = coalesce(closed_at, business_now()),
    reason = case when state = 'closed' then reason else %(reason)s end
where id = any(%(ids)s);

-- name: close
-- Nothing is found any more: it stays in the list, with the reason.
update finding set state = 'closed', closed_at = business_now(), reason = closing.reason
from unnest(%(ids)s::bigint[], %(reasons)s::text[]) as closing (id, reason)
where finding.id = closing.id;

-- name: keep_register
-- The base register of the block: whoever enjoys a benefit by her records, and whoever is confirmed not to have
-- claimed it. A reason that was given stays when she enjoys it after all.
with enjoyed as (
    select * from unnest(%(homes)s::int[], %(codes)s::text[]) as x (taxpayer_id, benefit_code)
), confirmed as (
    select taxpayer_id, benefit_code, id from finding
    where taxpayer_id = any(%(ids)s) and year = %(year)s and direction = 'unclaimed' and is_current
      and state = 'confirmed'
), due as (
    select taxpayer_id, benefit_code, e.taxpayer_id is not null as claimed, c.id as finding_id
    from enjoyed e full join confirmed c using (taxpayer_id, benefit_code)
), gone as (
    delete from register_row r
    where r.taxpayer_id = any(%(ids)s) and r.year = %(year)s
      and not exists (select from due d where d.taxpayer_id = r.taxpayer_id and d.benefit_code = r.benefit_code)
)
insert into register_row as old (benefit_code, year, taxpayer_id, claimed, finding_id)
select benefit_code, %(year)s, taxpayer_id, claimed, finding_id from due
on conflict (benefit_code, year, taxpayer_id) do update
set claimed = excluded.claimed, finding_id = excluded.finding_id, changed_at = business_now()
where (old.claimed, old.finding_id) is distinct from (excluded.claimed, excluded.finding_id);
