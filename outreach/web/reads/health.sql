-- name: workers
select count(*)::int as n from worker where kind = 'worker' and seen_at > now() - %(alive)s;

-- name: gateways
-- What waits is read from the index of open batches, never from messages.
select g.id, g.name, g.channel, g.adapter, g.state, g.rate, g.burst, g.window_size, g.weight, g.quiet_seconds,
       coalesce(b.backlog, 0)::int as backlog, b.oldest
from gateway g left join lateral (
    select sum(n - settled) as backlog, min(next_at) as oldest from batch where gateway_id = g.id and state = 0
) b on true order by g.channel, g.name;

-- name: unknown
select coalesce(sum(m.n), 0)::int as n from message_count m join org_unit o on o.id = m.org_id
where m.state = 1 and o.path like %(path)s || '%%';
