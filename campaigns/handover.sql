-- name: lock_step
-- One process at a time hands over the recipients of a rung; the cursor moves in the same transaction.
select s.round_id, s.step, s.channel, s.cursor_position, r.period, r.ends_at, c.kind, c.done_segment, c.dispute_segment,
       c.org_id
from round_step s join round r on r.id = s.round_id join campaign c on c.id = r.campaign_id
where s.round_id = %(round_id)s and s.step = %(step)s and r.state = 'running' and c.state = 'running'
  and s.state <> 'closed' and s.version_id is not null
for update of s skip locked

-- name: due
-- Those whose ladder begins at this rung, and those who fall to it, by the rule of the messages' own fallers
-- (materialise.sql): an earlier rung failed, or waited too long without a delivery.
with starters as materialized (
    select position, person_id, taxpayer_ids, reach from recipient
    where period = %(period)s and round_id = %(round_id)s and first_step = %(step)s and position > %(cursor)s
      and position <= (select round_open_position(%(round_id)s))
    order by position limit %(limit)s
), fallers as materialized (
    select null::int as position, m.person_id, m.taxpayer_ids, m.reach
    from batch b
    join message m on m.period = b.period and m.shard = b.shard
         and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
    join round_step s on s.round_id = m.round_id and s.step = m.step
    join gateway g on g.id = b.gateway_id
    where %(fallers)s and b.round_id = %(round_id)s and b.step < %(step)s and m.period = %(period)s
      and (m.reach >> %(step)s) & 1 = 1
      and (m.reach >> (m.step + 1)) & ((1 << (%(step)s - m.step - 1)) - 1) = 0
      and (m.state = 4
           or m.state = 2 and m.at + s.wait <= (select business_now())
           or m.state = 1 and %(statutory)s and m.not_before is null
              and m.at + g.receipt_deadline <= (select business_now()))
      and not exists (select from handover h where h.person_id = m.person_id and h.round_id = m.round_id)
    limit %(limit)s
)
select * from starters union all select * from fallers

-- name: move_cursor
-- In the transaction that handed over.
update round_step set cursor_position = coalesce(%(cursor)s, cursor_position), state = 'open'
where round_id = %(round_id)s and step = %(step)s

-- name: rounds_with_open
-- Whose handovers may have become pointless, and whether their round is over.
select r.id, r.ends_at <= business_now() as over, r.state, c.done_segment, c.dispute_segment, c.org_id,
       (select array_agg(h.taxpayer_id) from handover h where h.round_id = r.id and h.state = 0) as taxpayers
from round r join campaign c on c.id = r.campaign_id
where exists (select from handover h where h.round_id = r.id and h.state = 0) order by r.id

-- name: told_meanwhile
-- A receipt came late: her message has arrived, so nobody need call. A visit that was asked for stays.
select array_agg(h.taxpayer_id) as taxpayers
from handover h join round r on r.id = h.round_id join work_item i on i.id = h.item_id
join message m on m.period = r.period and m.person_id = h.person_id and m.round_id = h.round_id
where h.round_id = %(round_id)s and h.state = 0 and i.kind = 'call' and i.tries = 0 and m.state in (3, 5)
