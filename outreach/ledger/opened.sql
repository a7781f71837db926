-- name: of_campaign
-- Of each round the sets as they were last written, and what came since.
select round_id, what, o.data, coalesce(d.since, '{}') as since
from (select o.round_id, o.what, o.data from round_opened o join round r on r.id = o.round_id
      where r.campaign_id = %(campaign_id)s) o
full join (select d.round_id, d.what, array_agg(t) as since
           from round r join opened_delta d on d.round_id = r.id, unnest(d.taxpayer_ids) as t
           where r.campaign_id = %(campaign_id)s group by d.round_id, d.what) d using (round_id, what)

-- name: long_deltas
-- Sets with enough that is new to be written again.
select d.round_id, d.what from opened_delta d join round r on r.id = d.round_id
group by d.round_id, d.what having count(*) > %(rows)s limit 16

-- name: take_deltas
-- With the new set, in one transaction: a reader sees the same households before, during and after.
with taken as (
    delete from opened_delta where round_id = %(round_id)s and what = %(what)s returning taxpayer_ids
)
select (select data from round_opened where round_id = %(round_id)s and what = %(what)s) as data,
       array(select t from taken, unnest(taken.taxpayer_ids) as t) as since

-- name: write_opened
-- As folded.
insert into round_opened (round_id, what, data) values (%(round_id)s, %(what)s, %(data)s)
on conflict (round_id, what) do update set data = excluded.data
