-- name: take_resting
-- Messages whose rest is over: refused before acceptance or stopped, in rounds that send now; unknown, where we
-- may ask at any time; unknown, where nothing more can be done about it and the rest is to end. `held` is the
-- new end of their rest and the token of whoever takes them: nobody else takes them before, and whoever comes
-- back later than that no longer speaks for them.
select m.period, m.shard, m.id, m.state, m.round_id, m.step, b.lane,
       coalesce(m.tried_at > now() - %(memory)s * interval '1 second', false) as is_remembered,
       exists (select from second_send_message s where s.message_id = m.id and s.granted and not s.begun)
           as is_granted,
       now() + %(hold)s * interval '1 second' as held
from message m
join batch b on b.shard = m.shard and b.id = m.id / 1000
where m.not_before <= now() and b.gateway_id = %(gateway_id)s
  and (m.round_id = any(%(rounds)s) and m.state in (0, 1)
       or m.state = 1 and (%(queryable)s or (m.tried_at > now() - %(memory)s * interval '1 second') is not true))
order by m.not_before limit %(limit)s
for update of m skip locked

-- name: is_paused
-- Whether a round may go on later.
select exists (select from round where id = %(round_id)s and state = 'paused') as paused

-- name: begin_try
-- Durable before the try: from here on nobody can tell, until it is settled.
with trying as (
    update message m set state = 1, tried_at = coalesce(m.tried_at, now()), not_before = %(held)s,
           at = case when o.state = 1 then m.at else (select business_now()) end
    from (select id, state from message where period = %(period)s and shard = %(shard)s and id = any(%(ids)s)) o
    where m.period = %(period)s and m.shard = %(shard)s and m.id = o.id
    returning m.round_id, m.step, m.org_id, o.state as was, cardinality(m.taxpayer_ids) as h
)
insert into message_count (round_id, step, org_id, state, n, households)
select round_id, step, org_id, s.state, sum(s.sign), sum(s.sign * h)
from trying, lateral (values (was, -1), (1::smallint, 1)) s (state, sign)
where was <> 1
group by round_id, step, org_id, s.state

-- name: hold_on
-- The last look before second tries leave: only whoever still holds a message may send it, and where to and
-- when is written down first. The rest begins anew, so that nobody looks into this try before it can be seen.
-- A repetition (`again`) keeps the moment of the first try: the provider's memory runs from there.
-- Returns those still held; `free` is false where another message of the batch has gone to the new destination.
with mine as materialized (
    select m.id, n.dest,
           m.dest = n.dest
           or not exists (select from message o where o.period = m.period and o.shard = m.shard
                          and o.id >= m.id / 1000 * 1000 and o.id < (m.id / 1000 + 1) * 1000
                          and o.id <> m.id and o.dest = n.dest and o.state between 1 and 5) as free
    from message m join unnest(%(ids)s::bigint[], %(dests)s::bigint[]) as n (id, dest) on m.id = n.id
    where m.period = %(period)s and m.shard = %(shard)s and m.id = any(%(ids)s::bigint[]) and m.state = 1
      and m.not_before = %(held)s and m.not_before > now()
    order by m.id for update of m
), kept as (
    update message m set dest = h.dest, tried_at = case when %(again)s then m.tried_at else now() end,
           not_before = now() + %(hold)s * interval '1 second'
    from mine h where h.free and m.period = %(period)s and m.shard = %(shard)s and m.id = h.id
)
select id, free, now() + %(hold)s * interval '1 second' as held from mine

-- name: same_destination_before
-- Where the request that carried a message cannot have begun: at or before the last message of its batch to
-- the same destination.
select m.id, coalesce(max(n.id), m.id / 1000 * 1000 - 1) as before
from message m
left join message n on n.period = m.period and n.shard = m.shard
     and n.id >= m.id / 1000 * 1000 and n.id < m.id and n.dest = m.dest
where m.period = %(period)s and m.shard = %(shard)s and m.id = any(%(ids)s)
group by m.id
