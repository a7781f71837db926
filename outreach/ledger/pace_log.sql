-- name: changes
-- Newest first; the other account of a move by its name.
select c.id, c.gateway_id, g.name, g.channel, c.at, c.what, c.reason, c.detail, o.name as other
from gateway_change c join gateway g on g.id = c.gateway_id
left join gateway o on o.id = case c.what when 'weight' then (c.detail ->> 'of')::int
                                          when 'moved' then (c.detail ->> 'to')::int end
where (%(gateway_id)s::int is null or c.gateway_id = %(gateway_id)s)
  and (%(before)s::bigint is null or c.id < %(before)s)
order by c.id desc limit %(limit)s

-- name: paces
-- How each account stands now, and what its tries of the last minute came to.
select g.id, coalesce(p.breaker, 'closed') as breaker, coalesce(p.share, g.weight) as share,
       p.share is not null as moved,
       extract(epoch from p.since + p.pause * interval '1 second' - now())::float8 as next_seconds,
       coalesce(why.reason, '') as reason, coalesce(why.detail, '{}') as detail, o.tries, o.errors
from gateway g
left join gateway_pace p on p.gateway_id = g.id
left join lateral (select c.reason, c.detail from gateway_change c
                   where c.gateway_id = g.id and c.what = 'opened' order by c.id desc limit 1) why on true
cross join lateral (select coalesce(sum(tries), 0)::int as tries, coalesce(sum(errors + throttled), 0)::int as errors
                    from gateway_outcome where gateway_id = g.id and at > now() - interval '60 seconds') o
