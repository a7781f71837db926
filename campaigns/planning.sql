-- name: take_round
-- What is due is decided here, whoever ticks and however often. A crash rolls the whole plan back.
select r.id, r.campaign_id, r.segment, r.starts_at, r.ends_at, c.segment as campaign_segment, c.done_segment,
       c.exempt_segment, c.dispute_segment, c.kind, c.org_id, c.holdout_permille, c.holdout_seed,
       c.quota_messages, c.quota_days, business_now() as now,
       extract(year from r.starts_at at time zone 'Asia/Shanghai')::int * 100
       + extract(month from r.starts_at at time zone 'Asia/Shanghai')::int as period
from round r join campaign c on c.id = r.campaign_id
where r.state = 'scheduled' and c.state in ('approved', 'running') and r.starts_at <= business_now()
  and r.ends_at > business_now() and r.id <> all(%(stuck)s::int[])
order by r.starts_at limit 1 for update of r, c skip locked

-- name: steps_of
-- The ladder from top to bottom.
select step, channel from round_step where round_id = %(round_id)s order by step

-- name: fill_recipients
-- In the order of the organisation, so that a batch touches few org units and its counters few rows.
with filled as (
    insert into recipient (period, round_id, position, person_id, taxpayer_ids, org_id, reach, first_step)
    select %(period)s, %(round_id)s, row_number() over (order by u.path, r.person_id), r.person_id,
           r.taxpayer_ids, r.org_id, r.reach, round(ln(r.reach & -r.reach) / ln(2))
    from persons_reached(%(planned)s::int[], %(steps)s::smallint[], %(channels)s::text[], %(kinds)s::text[],
                         %(honours_opt_out)s::boolean) r
    join org_unit u on u.id = r.org_id
    returning taxpayer_ids
)
select coalesce(array_agg(t), '{}') as reached from filled, unnest(taxpayer_ids) as t

-- name: keep_set
-- The frozen audience, its exclusions in order, and what is planned.
insert into round_set (round_id, ordinal, kind, reason, size, data, expression, versions)
values (%(round_id)s, %(ordinal)s, %(kind)s, %(reason)s, %(size)s, %(data)s, %(expression)s, %(versions)s)

-- name: begin_round
-- Planned in the same transaction. With its first round a campaign is under way.
with under_way as (
    update campaign c set state = 'running' from round r
    where r.id = %(round_id)s and c.id = r.campaign_id and c.state = 'approved'
)
update round set state = 'running', started_at = business_now(), period = %(period)s,
       audience = %(audience)s, planned = %(planned)s where id = %(round_id)s
