-- name: members
-- Of these households, those with a confirmed finding, of whichever year.
select distinct f.taxpayer_id, f.benefit_code, f.direction
from unnest(%(homes)s::int[], %(codes)s::text[], %(directions)s::text[]) as x (taxpayer_id, benefit_code, direction)
join finding f using (taxpayer_id, benefit_code, direction)
where f.is_current and f.state = 'confirmed';

-- name: name_terms
insert into finding_term as old (code, name, description)
select * from unnest(%(codes)s::text[], %(names)s::text[], %(descriptions)s::text[])
on conflict (code) do update set name = excluded.name, description = excluded.description
where (old.name, old.description) is distinct from (excluded.name, excluded.description);
