-- name: changes_of
-- Newest first; low and high spare most rows that are about other taxpayers.
select id, at, as_of, source, added, removed
from set_change
where set_key = %(key)s and %(taxpayer_id)s between low and high and id < %(before)s
order by id desc
limit %(limit)s;

-- name: unit_of
select t.org_id, u.name from taxpayer t join org_unit u on u.id = t.org_id where t.id = %(taxpayer_id)s;
