-- name: count_addresses
-- How long a unit's list is.
select count(*)::int as n from test_address where org_id = %(org_id)s

-- name: next_address
-- Known before it is written, because the row is bound into what is encrypted.
select nextval(pg_get_serial_sequence('test_address', 'id'))::int as id

-- name: add_address
-- Once for each unit.
insert into test_address (id, org_id, name, kind, value_enc, bidx, added_by) overriding system value
values (%(id)s, %(org_id)s, %(name)s, %(kind)s, %(value_enc)s, %(bidx)s, %(by)s)
on conflict (org_id, kind, bidx) do nothing returning id

-- name: drop_address
-- Only the unit's own.
delete from test_address where id = %(id)s and org_id = %(org_id)s returning id

-- name: addresses
-- The unit's list.
select id, name, kind, value_enc from test_address where org_id = %(org_id)s order by id

-- name: addresses_chosen
-- Of the unit's list only.
select id, name, kind, value_enc from test_address where org_id = %(org_id)s and id = any(%(ids)s::int[]) order by id

-- name: rungs
-- The version that is bound, or the newest.
select s.step, s.channel, coalesce(s.version_id, (
    select v.id from template_version v where v.template_id = s.template_id order by version desc limit 1)) as version
from round_step s where s.round_id = %(round_id)s order by s.step
