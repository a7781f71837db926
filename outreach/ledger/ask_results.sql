-- name: note_batches
-- Batches of accounts that tell results only when asked, from their first window on and while the provider
-- remembers.
insert into result_ask (shard, batch_id, next_at)
select b.shard, b.id, b.opened_at + %(first)s * interval '1 second'
from batch b
where b.gateway_id = any(%(gateways)s::smallint[]) and b.opened_at > now() - %(memory)s * interval '1 second'
  and not exists (select from result_ask r where r.shard = b.shard and r.batch_id = b.id)
on conflict do nothing

-- name: forget_batches
-- Nothing more can be asked about them.
delete from result_ask r using batch b
where b.shard = r.shard and b.id = r.batch_id and r.next_at <= now()
  and b.opened_at <= now() - %(memory)s * interval '1 second'

-- name: claim_batch
-- The batch that has waited longest, with its next turn: whoever dies with it loses one turn and no more.
update result_ask r set asks = r.asks + 1,
       next_at = now() + (%(pauses)s::int[])[least(r.asks + 1, cardinality(%(pauses)s::int[]))] * interval '1 second'
from (select x.shard, x.batch_id from result_ask x join batch y on y.shard = x.shard and y.id = x.batch_id
      where x.next_at <= now() and y.gateway_id = any(%(gateways)s::smallint[])
      order by x.next_at limit 1 for update of x skip locked) due
join batch b on b.shard = due.shard and b.id = due.batch_id
where r.shard = due.shard and r.batch_id = due.batch_id
returning r.shard, r.batch_id, b.period, b.gateway_id

-- name: take_up_again
-- The gateway did not answer: soon again, and this turn does not count.
update result_ask set asks = asks - 1, next_at = now() + %(pause)s * interval '1 second'
where shard = %(shard)s and batch_id = %(batch_id)s

-- name: open_messages
-- Accepted or delivered, not read or failed, at an address that is still where they went.
select m.id, m.ref, a.id as address_id, a.value_enc
from message m join address a on a.person_id = m.person_id and a.kind = %(kind)s and a.dest = m.dest
where m.period = %(period)s and m.shard = %(shard)s
  and m.id >= %(batch_id)s * 1000 and m.id < (%(batch_id)s + 1) * 1000
  and m.state in (2, 3) and m.ref is not null
order by m.id
