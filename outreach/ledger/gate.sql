-- name: open_rounds
-- Rounds that may send at this moment of business time. Quiet hours delay, they do not drop.
-- What the audience was drawn from is read again only where it names a finding.
select r.id, r.period, r.ends_at, c.kind, c.org_id, c.done_segment, c.dispute_segment,
       case when strpos(s.expression, 'finding.') > 0 then s.expression else '' end as found_by
from round r join campaign c on c.id = r.campaign_id
left join round_set s on s.round_id = r.id and s.kind = 'audience',
     lateral (select (business_now() at time zone 'Asia/Shanghai')::time as t) clock
where r.state = 'running' and c.state = 'running'
  and r.starts_at <= business_now() and r.ends_at > business_now()
  and (c.quiet_from is null
       or case when c.quiet_from > c.quiet_to then t >= c.quiet_to and t < c.quiet_from
               else not (t >= c.quiet_from and t < c.quiet_to) end)

-- name: findings_lost
-- Whoever left one of these sets since shortly before the round was planned, though she may be back.
select c.removed from set_change c join round r on r.id = %(round_id)s
where c.set_key = any(%(keys)s) and c.removed is not null and c.at >= r.started_at - interval '1 day'

-- name: opted_out
-- Asked in the transaction that opens a window.
select distinct person_id from opt_out
where person_id = any(%(persons)s) and channel in ('all', %(channel)s, %(topic)s)
