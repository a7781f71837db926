-- name: halls
-- Of each unit the one at a level of the organisation that it belongs to, itself where it lies above.
select array_agg(u.id) as units, array_agg(coalesce(h.id, u.id)) as halls
from org_unit u left join org_unit h on h.level = %(hall_level)s::int and u.path like h.path || '%%'

-- name: write_slices
-- In the order in which they open.
insert into round_slice (round_id, ordinal, label, category, tier, wave, org_id, opens_on, opens_at, first_position,
                         last_position, persons, households)
select %(round_id)s, s.ordinal, s.label, s.category, s.tier, s.wave, s.org_id, s.day, s.opens_at, s.first_position,
       s.last_position, s.last_position - s.first_position + 1, s.households
from unnest(%(labels)s::text[], %(categories)s::smallint[], %(tiers)s::smallint[], %(waves)s::smallint[],
            %(orgs)s::int[], %(days)s::date[], %(opens)s::timestamptz[], %(firsts)s::int[], %(lasts)s::int[],
            %(households)s::int[])
     with ordinality as s (label, category, tier, wave, org_id, day, opens_at, first_position, last_position,
                           households, ordinal)

-- name: begin_canary
-- From now on the answers to it count.
update round set canary_position = %(position)s, canary_from = now() where id = %(round_id)s
