-- name: record
-- What a process counted since it last said so.
insert into gateway_outcome (gateway_id, tries, errors, throttled, refused)
select * from unnest(%(gateways)s::smallint[], %(tries)s::int[], %(errors)s::int[], %(throttled)s::int[],
                     %(refused)s::text[])

-- name: lock_pace
-- One process at a time judges the accounts.
select pg_try_advisory_xact_lock(7640004) as mine

-- name: standings
-- Each account with what its tries of the last minute came to: since its breaker last moved, for the breaker;
-- altogether, for its weight. Seconds are the machine's: no account recovers faster in a rehearsal.
select g.id, g.name, g.channel, g.weight, g.state = 'active' as active, coalesce(p.breaker, 'closed') as breaker,
       coalesce(p.since, 'epoch') as since, coalesce(p.pause, 0) as pause, p.share, p.errors_moved_at,
       p.slow_moved_at, p.moved_at, now() as now, o.tries, o.errors, o.throttled, o.refused, o.minute_errors
from gateway g
left join gateway_pace p on p.gateway_id = g.id
cross join lateral (
    select coalesce(sum(tries) filter (where fresh), 0)::int as tries,
           coalesce(sum(errors) filter (where fresh), 0)::int as errors,
           coalesce(sum(throttled) filter (where fresh), 0)::int as throttled,
           coalesce((array_agg(refused order by at desc) filter (where fresh and refused <> ''))[1], '') as refused,
           coalesce(sum(errors), 0)::int as minute_errors
    from (select *, at > coalesce(p.since, 'epoch') as fresh from gateway_outcome
          where gateway_id = g.id and at > now() - interval '60 seconds') t) o
order by g.channel, g.id

-- name: move_breakers
-- A new position counts from now; a probe may be taken at once.
insert into gateway_pace (gateway_id, breaker, since, pause)
select m.gateway_id, m.breaker, now(), m.pause
from unnest(%(gateways)s::smallint[], %(breakers)s::text[], %(pauses)s::float8[]) as m (gateway_id, breaker, pause)
on conflict (gateway_id) do update set breaker = excluded.breaker, since = now(), pause = excluded.pause,
       probed_at = null

-- name: move_shares
-- The points of a channel's accounts, all at once. At rest they follow the configured weights again.
insert into gateway_pace (gateway_id, share, moved_at, errors_moved_at, slow_moved_at)
select m.gateway_id, m.share, now(), case when %(reason)s = 'errors' then now() end,
       case when %(reason)s = 'slow' then now() end
from unnest(%(gateways)s::smallint[], %(shares)s::smallint[]) as m (gateway_id, share)
on conflict (gateway_id) do update set share = excluded.share, moved_at = now(),
       errors_moved_at = coalesce(excluded.errors_moved_at, gateway_pace.errors_moved_at),
       slow_moved_at = coalesce(excluded.slow_moved_at, gateway_pace.slow_moved_at)

-- name: note_changes
-- Every change with its reason and its figures.
insert into gateway_change (gateway_id, what, reason, detail)
select * from unnest(%(gateways)s::smallint[], %(whats)s::text[], %(reasons)s::text[], %(details)s::jsonb[])

-- name: take_probe
-- One window for a half-open breaker; if nothing is heard of it, another may take it.
update gateway_pace set probed_at = now()
where gateway_id = %(gateway_id)s and breaker = 'half_open'
  and (probed_at is null or probed_at < now() - interval '30 seconds')
returning gateway_id

-- name: give_probe_back
-- Its holder has sent nothing: the next one need not wait until it would have been heard of.
update gateway_pace set probed_at = null where gateway_id = %(gateway_id)s and breaker = 'half_open'

-- name: lateness
-- How many of the messages first sent 5 to 15 minutes ago had no report of their end within 5 minutes, judged
-- on each account's latest batches: a share of all of them costs as much as sending. A message that was read
-- tells when that was, not when it came.
select b.gateway_id, count(*)::int as judged,
       count(*) filter (where m.state = 2 or m.at > m.sent_at + interval '5 minutes')::int as slow
from gateway g
cross join lateral (
    select shard, id, period, gateway_id from batch
    where gateway_id = g.id and opened_at between now() - interval '16 minutes' and now() - interval '5 minutes'
    order by opened_at desc limit 10) b
join message m on m.period = b.period and m.shard = b.shard and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
where g.channel = any(%(channels)s) and m.state in (2, 3, 4) and m.tries > 0
  and m.sent_at between business_now() - interval '15 minutes' and business_now() - interval '5 minutes'
group by b.gateway_id

-- name: move_batches
-- Batches of accounts that take nothing go to the accounts of the channel that do, in proportion to their points.
-- Only such as nobody holds or has ever opened a window of: what may have reached the old account never moves.
-- The fence grows, so that whoever held the batch before can open nothing at the old account. Where the text is
-- filed with the provider, or the new one takes none that is not, it has to be filed with the new one too.
with broken as (
    select g.id, g.channel from gateway g left join gateway_pace p on p.gateway_id = g.id
    where g.state = 'closed' or p.breaker = 'open'
), able as (
    select g.id, g.channel, g.adapter, (row_number() over (partition by g.channel order by turn, g.id) - 1)::int as place,
           (count(*) over (partition by g.channel))::int as places
    from gateway g left join gateway_pace p on p.gateway_id = g.id
    cross join lateral generate_series(1, greatest(1, coalesce(p.share, g.weight) / 10)) as turn
    where g.state = 'active' and coalesce(p.breaker, 'closed') = 'closed' and coalesce(p.share, g.weight) > 0
), stuck as materialized (
    select b.shard, b.id, b.gateway_id, x.channel, s.version_id
    from broken x join batch b on b.gateway_id = x.id
    join round_step s on s.round_id = b.round_id and s.step = b.step
    where b.state = 0 and b.watermark = 0 and (b.lease_until is null or b.lease_until < now())
      and exists (select from able a where a.channel = x.channel)
    order by b.lane, b.next_at, b.id limit %(limit)s
    for update of b skip locked
), placed as (
    select *, (row_number() over (partition by channel order by id) - 1)::int as place from stuck
), chosen as (
    select t.shard, t.id, t.gateway_id as was, a.id as gateway_id
    from placed t join able a on a.channel = t.channel and a.place = t.place %% a.places
    where a.adapter <> all(%(filed_only)s)
          and not exists (select from template_filing f
                          where f.version_id = t.version_id and f.gateway_id = t.gateway_id)
       or exists (select from template_filing f where f.version_id = t.version_id and f.gateway_id = a.id)
), moved as (
    update batch b set gateway_id = c.gateway_id, fence = b.fence + 1, lease_until = null, owner = null
    from chosen c where b.shard = c.shard and b.id = c.id
    returning b.n, c.was, c.gateway_id
)
select was, gateway_id, count(*)::int as batches, sum(n)::int as messages from moved group by was, gateway_id

-- name: forget
-- The rules look back one minute.
delete from gateway_outcome where at < now() - interval '5 minutes'
