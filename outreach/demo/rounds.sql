-- name: set_clock
-- The rehearsal's calendar: business time stands still between two moves.
insert into business_clock (real_at, business_at, speed) values (now(), %(at)s, 0)
on conflict (only_row) do update set real_at = now(), business_at = excluded.business_at

-- name: progress
-- How far a round is: changes as long as anything moves.
select r.planned, r.state, coalesce(sum(c.n), 0)::int as messages,
       coalesce(sum(c.n) filter (where c.state = 0), 0)::int as waiting,
       coalesce(sum(c.n) filter (where c.state = 1), 0)::int as unknown,
       coalesce(sum(c.n) filter (where c.state in (3, 4, 5)), 0)::int as final
from round r left join message_count c on c.round_id = r.id
where r.campaign_id = %(campaign_id)s and r.ordinal = %(ordinal)s group by r.id

-- name: state
-- Finished once its window has closed and nothing can move.
select state from round where campaign_id = %(campaign_id)s and ordinal = %(ordinal)s

-- name: audience
-- The frozen set.
select s.data from round_set s join round r on r.id = s.round_id
where r.campaign_id = %(campaign_id)s and r.ordinal = %(ordinal)s and s.kind = 'audience'

-- name: reached
-- Households with a delivery in this round.
select coalesce(array_agg(distinct t), '{}') as ids
from round r join batch b on b.round_id = r.id
join message m on m.period = b.period and m.shard = b.shard
     and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000, unnest(m.taxpayer_ids) as t
where r.campaign_id = %(campaign_id)s and r.ordinal = %(ordinal)s and m.state in (3, 5)

-- name: told_by_sms
-- Persons who read an SMS of this round, with their numbers.
select m.person_id, a.id, a.value_enc
from round r join round_step s on s.round_id = r.id and s.channel = 'sms'
join batch b on b.round_id = r.id and b.step = s.step
join message m on m.period = b.period and m.shard = b.shard
     and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
join address a on a.person_id = m.person_id and a.kind = 'mobile'
where r.campaign_id = %(campaign_id)s and r.ordinal = %(ordinal)s and m.state = 3
