-- name: keep_rating
-- One rating per household and statement; the last word counts.
with kept as (
    insert into rating (taxpayer_id, statement_id, stars) values (%(taxpayer_id)s, %(statement_id)s, %(stars)s)
    on conflict (taxpayer_id, statement_id) do update set stars = excluded.stars, at = now()
    returning id, taxpayer_id)
select kept.id, t.org_id, c.person_id
from kept join taxpayer t on t.id = kept.taxpayer_id left join contact c on c.taxpayer_id = t.id;

-- name: keep_of_round
insert into rating (taxpayer_id, round_id, stars, reasons)
values (%(taxpayer_id)s, %(round_id)s, %(stars)s, %(reasons)s)
on conflict (taxpayer_id, round_id) do update set stars = excluded.stars, reasons = excluded.reasons, at = now()
returning id;

-- name: keep_of_place
insert into rating (place_id, stars, reasons) values (%(place_id)s, %(stars)s, %(reasons)s) returning id;
