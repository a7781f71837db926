-- name: holders
-- Who holds which of some roles in the households of some ranges of ids, two ids in one number.
select c.role, array_agg(c.person_id::bigint << 32 | c.taxpayer_id) as holders
from unnest(%(firsts)s::int[], %(lasts)s::int[]) as r (first, last)
join role c on c.taxpayer_id between r.first and r.last
where c.role = any(%(roles)s::text[]) group by c.role

-- name: natural_persons
-- Those of some ranges of ids that are nobody's company.
select array_agg(t.id) as ids from unnest(%(firsts)s::int[], %(lasts)s::int[]) as r (first, last)
join taxpayer t on t.id between r.first and r.last where t.kind = 'natural_person'
