-- name: open_rounds
-- Rounds that may send at this moment of business time. Quiet hours delay, they do not drop.
select r.id, r.period, r.ends_at, c.kind, c.org_id, c.done_segment, c.dispute_segment
from round r join campaign c on c.id = r.campaign_id,
     lateral (select (business_now() at time zone 'Asia/Shanghai')::time as t) clock
where r.state = 'running' and c.state = 'running'
  and r.starts_at <= business_now() and r.ends_at > business_now()
  and (c.quiet_from is null
       or case when c.quiet_from > c.quiet_to then t >= c.quiet_to and t < c.quiet_from
               else not (t >= c.quiet_from and t < c.quiet_to) end)

-- name: opted_out
-- Asked in the transaction that opens a window.
select distinct person_id from opt_out
where person_id = any(%(persons)s) and channel in ('all', %(channel)s, %(topic)s)
