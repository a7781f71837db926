-- name: batches
-- Batches of a thousand, sent; the households are not in their order.
insert into batch (shard, id, period, round_id, step, gateway_id, lane, n, watermark, settled, state)
select id %% 8, id, %(period)s, %(round_id)s, 0, %(gateway_id)s, 3, 1000, 1000, 1000, 1
from (select nextval('batch_id') as id from generate_series(1, (%(count)s::int + 999) / 1000)) b

-- name: messages
-- As a season leaves them: most delivered, some read, some failed, a few unknown.
insert into message (period, shard, id, round_id, step, person_id, org_id, reach, dest, state, parts, at, sent_at,
                     tried_at, taxpayer_ids)
select %(period)s, b.id %% 8, b.id * 1000 + p, %(round_id)s, 0, h.n, 1000 + (h.n - 1) / 2000, 1, h.n,
       (array[3, 3, 3, 3, 3, 3, 5, 3, 4, case when h.n %% 1000 = 9 then 1 else 3 end])[1 + h.n %% 10], 1,
       business_now(), business_now(), case when h.n %% 1000 = 9 then now() end, array[h.n]
from (select id, row_number() over (order by id) - 1 as place from batch where round_id = %(round_id)s) b,
     generate_series(0, 999) as p, lateral (select (b.place * 1000 + p + 1)::int as n) h
where h.n <= %(count)s

-- name: counts
insert into message_count (round_id, step, org_id, state, n, households)
select round_id, step, org_id, state, count(*), count(*) from message
where period = %(period)s and round_id = %(round_id)s group by 1, 2, 3, 4

-- name: reached
insert into reached_delta (round_id, taxpayer_ids)
select round_id, array_agg(person_id) from message
where period = %(period)s and round_id = %(round_id)s and state in (3, 5) group by round_id, id / 1000

-- name: carry
update round_step set state = 'open', cursor_position = %(count)s where round_id = %(round_id)s

-- name: settle
update round set state = %(state)s, started_at = business_now(), period = %(period)s, audience = %(count)s,
       planned = %(count)s, finished_at = case when %(state)s = 'finished' then business_now() end
where id = %(round_id)s

-- name: round_of
select r.id, r.campaign_id from round r join campaign c on c.id = r.campaign_id where c.code = %(code)s
