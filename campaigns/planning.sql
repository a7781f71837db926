-- name: take_round
-- What is due is decided here, whoever ticks and however often. A crash rolls the whole plan back.
select r.id, r.campaign_id, r.segment, r.starts_at, r.ends_at, c.segment as campaign_segment, c.done_segment,
       c.exempt_segment, c.dispute_segment, c.kind, c.org_id, c.holdout_permille, c.holdout_seed,
       c.quota_messages, c.quota_days,
       extract(year from r.starts_at at time zone 'Asia/Shanghai')::int * 100
       + extract(month from r.starts_at at time zone 'Asia/Shanghai')::int as period
from round r join campaign c on c.id = r.campaign_id
where r.state = 'scheduled' and c.state = 'running' and r.starts_at <= business_now()
  and r.ends_at > business_now() and r.id <> all(%(stuck)s::int[])
order by r.starts_at limit 1 for update of r skip locked

-- name: steps_of
-- The ladder from top to bottom.
select step, channel from round_step where round_id = %(round_id)s order by step

-- name: contacted
-- Taxpayers named often enough in the last days, by whichever bureau's campaign.
select t.id from message m, unnest(m.taxpayer_ids) as t (id)
where m.period = any(%(periods)s) and m.state between 1 and 5
  and m.sent_at > business_now() - %(days)s * interval '1 day'
group by t.id having count(distinct m.round_id) >= %(quota)s

-- name: fill_recipients
-- One row per person with all the households she looks after, in the order of the organisation; bit n of
-- reach is set if step n has an address of hers that works and that she has not closed to us.
with named as materialized (
    select c.person_id, array_agg(t.id order by t.id) as taxpayer_ids, (array_agg(t.org_id order by t.id))[1] as org_id
    from unnest(%(planned)s::int[]) as x (id)
    join taxpayer t on t.id = x.id join contact c on c.taxpayer_id = x.id
    group by c.person_id
), rungs as (
    select * from unnest(%(steps)s::smallint[], %(channels)s::text[], %(kinds)s::text[]) as s (step, channel, kind)
), reached as materialized (
    select n.person_id, n.taxpayer_ids, n.org_id, sum(1 << s.step)::int as reach
    from named n cross join rungs s
    join address a on a.person_id = n.person_id and a.kind = s.kind and a.usable
    where (s.channel <> 'rcs' or a.rcs is distinct from false)
      and not (%(honours_opt_out)s and exists (
          select from opt_out o where o.person_id = n.person_id and o.channel in ('all', s.channel)))
    group by n.person_id, n.taxpayer_ids, n.org_id
), filled as (
    insert into recipient (period, round_id, position, person_id, taxpayer_ids, org_id, reach, first_step)
    select %(period)s, %(round_id)s, row_number() over (order by u.path, r.person_id), r.person_id,
           r.taxpayer_ids, r.org_id, r.reach, round(ln(r.reach & -r.reach) / ln(2))
    from reached r join org_unit u on u.id = r.org_id
    returning taxpayer_ids
)
select coalesce(array_agg(t), '{}') as reached from filled, unnest(taxpayer_ids) as t

-- name: keep_set
-- The frozen audience, its exclusions in order, and what is planned.
insert into round_set (round_id, ordinal, kind, reason, size, data, expression, versions)
values (%(round_id)s, %(ordinal)s, %(kind)s, %(reason)s, %(size)s, %(data)s, %(expression)s, %(versions)s)

-- name: begin_round
-- Planned in the same transaction.
update round set state = 'running', started_at = business_now(), period = %(period)s,
       audience = %(audience)s, planned = %(planned)s where id = %(round_id)s
