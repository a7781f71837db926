-- name: last_position
-- Of all steps: where a round or a lap has come to.
select coalesce(max(position), 0) as last from recipient where period = %(period)s and round_id = %(round_id)s

-- name: keep_set
-- The audience with its newest expression and versions, its exclusions in order, what is planned, the detours.
insert into round_set (round_id, ordinal, kind, reason, size, data, expression, versions)
values (%(round_id)s, %(ordinal)s, %(kind)s, %(reason)s, %(size)s, %(data)s, %(expression)s, %(versions)s)
on conflict (round_id, ordinal) do update
set size = excluded.size, data = excluded.data, expression = excluded.expression, versions = excluded.versions
