-- name: take_resting
-- Messages whose rest is over: refused before acceptance, stopped, or unknown where we may ask. The batch must
-- not be open in another hand at this position, and the round must send now.
select m.period, m.shard, m.id, m.state, m.round_id, m.step, m.tries, b.gateway_id
from message m
join batch b on b.shard = m.shard and b.id = m.id / 1000
where m.not_before <= now() and b.gateway_id = %(gateway_id)s
  and (m.round_id = any(%(rounds)s) and m.state in (0, 1) or m.state = 1 and %(queryable)s)
order by m.not_before limit %(limit)s
for update of m skip locked

-- name: begin_try
-- Durable before the try: from here on nobody can tell, until it is settled.
with trying as (
    update message m set state = 1, tried_at = coalesce(m.tried_at, now()), at = business_now(),
           not_before = now() + %(quiet)s * interval '1 second'
    from (select id, state from message where period = %(period)s and shard = %(shard)s and id = any(%(ids)s)) o
    where m.period = %(period)s and m.shard = %(shard)s and m.id = o.id
    returning m.round_id, m.step, m.org_id, o.state as was, cardinality(m.taxpayer_ids) as h
)
insert into message_count (round_id, step, org_id, state, n, households)
select round_id, step, org_id, s.state, sum(s.sign), sum(s.sign * h)
from trying, lateral (values (was, -1), (1::smallint, 1)) s (state, sign)
where was <> 1
group by round_id, step, org_id, s.state

-- name: same_destination_before
-- Where the request that carried a message cannot have begun: at or before the last message of its batch to
-- the same destination.
select m.id, coalesce(max(n.id), m.id / 1000 * 1000 - 1) as before
from message m
left join message n on n.period = m.period and n.shard = m.shard
     and n.id >= m.id / 1000 * 1000 and n.id < m.id and n.dest = m.dest
where m.period = %(period)s and m.shard = %(shard)s and m.id = any(%(ids)s)
group by m.id
