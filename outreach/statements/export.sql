-- name: plan
-- The newest document of each household, in parts by the unit that looks after her: one hall, one bundle. Who reads
-- Mongolian is who gets no plain SMS (campaigns/persons.py): the contact's language, or the label.
with newest as (
    select distinct on (s.taxpayer_id) s.id, t.org_id, s.withdrawn,
           %(mongolian)s::text = 'all'
               or (%(mongolian)s = 'readers' and (l.id is not null or p.id is not null)) as mongolian,
           %(large)s::text = 'all' or (%(large)s = 'readers' and e.id is not null) as large
    from statement s
    join taxpayer t on t.id = s.taxpayer_id
    join org_unit o on o.id = t.org_id
    left join unnest(%(labelled)s::int[]) as l (id) on l.id = t.id and t.kind <> 'enterprise'
    left join unnest(%(elderly)s::int[]) as e (id) on e.id = t.id and t.kind <> 'enterprise'
    left join (contact c join person p on p.id = c.person_id and p.language = 'mn') on c.taxpayer_id = t.id
    where s.kind = %(kind)s and s.year = %(year)s and o.path like %(path)s
      and (%(round)s::int is null
           or s.taxpayer_id in (select unnest(r.taxpayer_ids) from recipient r where r.round_id = %(round)s))
    order by s.taxpayer_id, s.version desc),
numbered as (
    select id, org_id, mongolian, large,
           (row_number() over (partition by org_id order by id) - 1) / %(most)s + 1 as part
    from newest where not withdrawn)
select unit.code, unit.name, part, array_agg(n.id order by n.id) as ids,
       coalesce(array_agg(n.id order by n.id) filter (where n.mongolian), '{}') as mongolian,
       coalesce(array_agg(n.id order by n.id) filter (where n.large), '{}') as large
from numbered n join org_unit unit on unit.id = n.org_id
group by unit.path, unit.code, unit.name, part
order by unit.path, part;

-- name: documents
select id, taxpayer_id, kind, year, content_enc, content_hash from statement where id = any(%(ids)s) order by id;

-- name: unit
select path from org_unit where id = %(org)s;
