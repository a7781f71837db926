-- name: keep_rating
-- One rating per household and statement; the last word counts.
insert into rating (taxpayer_id, statement_id, stars) values (%(taxpayer_id)s, %(statement_id)s, %(stars)s)
on conflict (taxpayer_id, statement_id) do update set stars = excluded.stars, at = now()
