-- name: append_recipients
-- In the order of the organisation, so that a batch touches few org units and its counters few rows, and behind the
-- last position, so that nobody who was cut is passed again. Whoever takes another way is told apart: `unsuited` have
-- no rung that suits them.
with found as materialized (
    select r.*, u.path
    from persons_reached(%(planned)s::int[], %(steps)s::smallint[], %(channels)s::text[], %(kinds)s::text[],
                         %(topic)s::text, %(care)s::int[], %(mongolian)s::int[],
                         %(call_first)s::boolean) r
    join org_unit u on u.id = r.org_id
), behind as (
    select coalesce(max(position), 0) as last from recipient
    where period = %(period)s and round_id = %(round_id)s
), filled as (
    insert into recipient (period, round_id, position, person_id, taxpayer_ids, org_id, reach, first_step)
    select %(period)s, %(round_id)s, behind.last + row_number() over (order by path, person_id), person_id,
           taxpayer_ids, org_id, reach, round(ln(reach & -reach) / ln(2))
    from found, behind where reach > 0
    returning taxpayer_ids
)
select coalesce((select array_agg(t) from filled, unnest(taxpayer_ids) as t), '{}') as reached,
       coalesce(array_agg(t) filter (where reach = 0), '{}') as unsuited,
       coalesce(array_agg(t) filter (where reach > 0 and apart & 1 = 1), '{}') as in_care,
       coalesce(array_agg(t) filter (where reach > 0 and apart & 2 = 2), '{}') as mongolian
from found, unnest(taxpayer_ids) as t where reach = 0 or apart > 0

-- name: keep_set
-- The audience with its newest expression and versions, its exclusions in order, what is planned, the detours.
insert into round_set (round_id, ordinal, kind, reason, size, data, expression, versions)
values (%(round_id)s, %(ordinal)s, %(kind)s, %(reason)s, %(size)s, %(data)s, %(expression)s, %(versions)s)
on conflict (round_id, ordinal) do update
set size = excluded.size, data = excluded.data, expression = excluded.expression, versions = excluded.versions
