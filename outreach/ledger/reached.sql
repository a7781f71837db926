-- name: reached_of_campaign
-- Of each round the set as it was last written, and what came since.
select r.id as round_id, k.data,
       array(select t from reached_delta d, unnest(d.taxpayer_ids) as t where d.round_id = r.id) as since
from round r left join round_reached k on k.round_id = r.id where r.campaign_id = %(campaign_id)s

-- name: reached_of_round
-- The same of one round.
select k.data, array(select t from reached_delta d, unnest(d.taxpayer_ids) as t where d.round_id = r.id) as since
from round r left join round_reached k on k.round_id = r.id where r.id = %(round_id)s

-- name: long_deltas
-- Rounds with enough that is new to write their sets again.
select round_id from reached_delta
group by round_id having count(*) > %(rows)s or sum(cardinality(taxpayer_ids)) > %(households)s limit 16

-- name: take_deltas
-- With the new set, in one transaction: a reader sees the same households before, during and after.
with taken as (
    delete from reached_delta where round_id = %(round_id)s returning taxpayer_ids
)
select (select data from round_reached where round_id = %(round_id)s) as data,
       array(select t from taken, unnest(taken.taxpayer_ids) as t) as since

-- name: write_reached
-- As folded.
insert into round_reached (round_id, data) values (%(round_id)s, %(data)s)
on conflict (round_id) do update set data = excluded.data
