-- name: in_hand
-- Bulk batches that somebody holds, of accounts that are slower than our senders. Those that are held stand first
-- in the order in which they are taken.
select g.id, count(*)::int as held
from unnest(%(gateways)s::smallint[]) as g (id)
cross join lateral (
    select lease_until from batch where gateway_id = g.id and state = 0 and lane > %(urgent)s
    order by lane, next_at, id limit 100) b
where b.lease_until > now() group by g.id

-- name: workers
-- Who else takes jobs from the queue.
select greatest(count(*), 1)::int as n from worker where kind = 'worker' and seen_at > now() - interval '20 seconds'
