-- name: households
-- Who is told for each household of some ranges of ids (unless a campaign has chosen otherwise), the office of each, who of those apart are no enterprise, and
-- all offices in the order of the organisation. Two ids stand in one number, which costs half of two arrays and can be
-- sorted as it is.
select (select array_agg(c.person_id::bigint << 32 | c.taxpayer_id)
        from unnest(%(firsts)s::int[], %(lasts)s::int[]) as r (first, last)
        join contact c on c.taxpayer_id between r.first and r.last where %(as_registered)s) as told,
       (select array_agg(t.id::bigint << 32 | t.org_id)
        from unnest(%(firsts)s::int[], %(lasts)s::int[]) as r (first, last)
        join taxpayer t on t.id between r.first and r.last) as seats,
       (select array_agg(t.id)
        from unnest(%(apart_firsts)s::int[], %(apart_lasts)s::int[]) as r (first, last)
        join taxpayer t on t.id between r.first and r.last where t.kind <> 'enterprise') as private,
       (select array_agg(id order by path) from org_unit) as units

-- name: facts
-- What is known of the persons of some ranges of ids: who has a usable address of a kind, of whom a telephone cannot
-- read 5G messages, who has closed a channel or refused a topic, who needs special care, who reads Mongolian.
with ranges as materialized (
    select * from unnest(%(firsts)s::int[], %(lasts)s::int[]) as r (first, last)
)
select 'usable' as fact, k.kind as about,
       (select array_agg(a.person_id) from ranges r
        join address a on a.person_id between r.first and r.last and a.kind = k.kind where a.usable) as persons
from unnest(%(kinds)s::text[]) as k (kind)
union all
select 'no_rcs', '', (select array_agg(a.person_id) from ranges r
                      join address a on a.person_id between r.first and r.last and a.kind = 'mobile'
                      where a.rcs is false and 'rcs' = any(%(channels)s::text[]))
union all
select 'closed', o.channel, array_agg(o.person_id) from ranges r
join opt_out o on o.person_id between r.first and r.last
where %(topic)s <> '' group by o.channel
union all
select 'special_care', '', (select array_agg(p.id) from ranges r join person p on p.id between r.first and r.last
                            where p.special_care)
union all
select 'mongolian', '', (select array_agg(p.id) from ranges r join person p on p.id between r.first and r.last
                         where p.language = 'mn')
