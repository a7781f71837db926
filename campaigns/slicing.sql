-- name: slice_table
-- Whom a round reaches, for as long as it is planned or foretold.
create temp table if not exists planned_person (
    person_id int not null, taxpayer_ids int[] not null, org_id int not null, reach int not null,
    apart int not null, path text not null, hall int not null, code smallint not null, spot bigint not null
) on commit drop

-- name: slice_clear
-- One transaction may look at several rounds.
truncate planned_person

-- name: slice_gather
-- A person with several households belongs to the earliest of their groups. The hall is the unit at a level of the
-- organisation, or her own where that lies above. The spot is spread evenly and fixed for round and person.
insert into planned_person
select r.person_id, r.taxpayer_ids, r.org_id, r.reach, r.apart, u.path,
       case when %(hall_level)s::int = 0 then 0 else coalesce(u.hall, r.org_id) end,
       case when cardinality(r.taxpayer_ids) = 1 then get_byte(%(codes)s::bytea, r.taxpayer_ids[1] - %(base)s::int)
            else (select min(get_byte(%(codes)s::bytea, t - %(base)s::int)) from unnest(r.taxpayer_ids) t) end,
       (r.person_id::bigint + %(round_id)s::bigint * 7919) * 2654435761 %% 4294967296
from persons_reached(%(planned)s::int[], %(steps)s::smallint[], %(channels)s::text[], %(kinds)s::text[],
                     %(topic)s::text, %(care)s::int[], %(mongolian)s::int[],
                     %(call_first)s::boolean) r
join (select o.id, o.path, h.id as hall from org_unit o
      left join org_unit h on h.level = %(hall_level)s::int and o.path like h.path || '%%') u on u.id = r.org_id

-- name: slice_spot
-- The first spot that is taken: a canary has at least one person.
select min(spot) as spot from planned_person where reach > 0 and code = any(%(canary_codes)s::int[])

-- name: slice_groups
-- How many of each group wait at each hall, the canary by itself, in the order of the organisation.
select g.code, hall, count(*)::int as persons
from planned_person p, lateral (select case when p.spot < %(canary_below)s::bigint
         and p.code = any(%(canary_codes)s::int[]) then -1 else p.code end as code) g
where reach > 0 group by g.code, hall order by g.code, min(path), hall

-- name: slice_fill
-- The n-th person of a group stands where its cells say; within a group in the order of the organisation, so that a
-- batch touches few org units. The slices take their households from the very rows.
with numbered as (
    select p.*, g.code as own,
           row_number() over (partition by g.code, p.hall order by p.path, p.person_id)::int as n
    from planned_person p, lateral (select case when p.spot < %(canary_below)s::bigint
         and p.code = any(%(canary_codes)s::int[]) then -1 else p.code end as code) g
    where p.reach > 0
), cells as materialized (
    select code, hall, bounds::int[] as bounds, bases::int[] as bases
    from unnest(%(group_codes)s::int[], %(group_halls)s::int[], %(group_bounds)s::text[], %(group_bases)s::text[])
        as c (code, hall, bounds, bases)
), filled as (
    insert into recipient (period, round_id, position, person_id, taxpayer_ids, org_id, reach, first_step)
    select %(period)s, %(round_id)s, c.bases[k] + n.n - c.bounds[k], n.person_id, n.taxpayer_ids, n.org_id,
           n.reach, round(ln(n.reach & -n.reach) / ln(2))
    from numbered n join cells c on c.code = n.own and c.hall = n.hall,
         lateral (select width_bucket(n.n, c.bounds) as k) b
    returning position, taxpayer_ids
), loads as (
    select width_bucket(position, %(firsts)s::int[]) as ordinal, sum(cardinality(taxpayer_ids)) as households
    from filled group by 1
), slices as (
    insert into round_slice (round_id, ordinal, label, category, tier, wave, org_id, opens_on, opens_at,
                             first_position, last_position, persons, households)
    select %(round_id)s, s.ordinal, s.label, s.category, s.tier, s.wave, s.org_id, s.day, s.opens_at, s.first_position,
           s.last_position, s.last_position - s.first_position + 1, l.households
    from unnest(%(labels)s::text[], %(categories)s::smallint[], %(tiers)s::smallint[], %(waves)s::smallint[],
                %(orgs)s::int[], %(days)s::date[], %(opens)s::timestamptz[], %(firsts)s::int[], %(lasts)s::int[])
         with ordinality as s (label, category, tier, wave, org_id, day, opens_at, first_position, last_position,
                               ordinal)
    join loads l on l.ordinal = s.ordinal
)
select coalesce((select array_agg(t) from filled, unnest(taxpayer_ids) as t), '{}') as reached,
       coalesce(array_agg(t) filter (where reach = 0), '{}') as unsuited,
       coalesce(array_agg(t) filter (where reach > 0 and apart & 1 = 1), '{}') as in_care,
       coalesce(array_agg(t) filter (where reach > 0 and apart & 2 = 2), '{}') as mongolian
from planned_person, unnest(taxpayer_ids) as t where reach = 0 or apart > 0

-- name: begin_canary
-- From now on the answers to it count.
update round set canary_position = %(position)s, canary_from = now() where id = %(round_id)s
