-- name: days_of
-- The days that a unit or one above it has set; the last of a day is that of the nearest unit.
select d.day, d.is_workday, d.opens, d.closes
from calendar_day d join org_unit o on o.id = d.org_id, org_unit own
where own.id = %(org_id)s and own.path like o.path || '%%' order by o.level

-- name: years_of
-- What a unit above has entered holds below.
select distinct y.year from calendar_year y join org_unit o on o.id = y.org_id, org_unit own
where own.id = %(org_id)s and own.path like o.path || '%%'

-- name: set_day
-- The last word of a unit of a day.
insert into calendar_day (org_id, day, is_workday, opens, closes, note, set_by)
values (%(org_id)s, %(day)s, %(is_workday)s, %(opens)s, %(closes)s, %(note)s, %(by)s)
on conflict (org_id, day) do update set is_workday = excluded.is_workday, opens = excluded.opens,
    closes = excluded.closes, note = excluded.note, set_by = excluded.set_by, set_at = now()

-- name: drop_day
-- Only the unit's own.
delete from calendar_day where org_id = %(org_id)s and day = %(day)s returning day

-- name: close_year
-- Once is enough.
insert into calendar_year (org_id, year, set_by) values (%(org_id)s, %(year)s, %(by)s) on conflict do nothing

-- name: days_set
-- With the unit that has said so; its own come last of a day, as they count.
select d.day, d.is_workday, d.opens, d.closes, d.note, d.set_by, o.name as unit, o.id = own.id as is_own
from calendar_day d join org_unit o on o.id = d.org_id, org_unit own
where own.id = %(org_id)s and own.path like o.path || '%%' and extract(year from d.day) = %(year)s
order by d.day, o.level
