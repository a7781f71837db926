-- name: all_gateways
-- The configured accounts, by channel and weight, with what their breakers allow. A probe that was taken and not
-- heard of again is free after half a minute.
select g.id, g.name, g.channel, g.adapter, g.config_enc, g.secret, g.rate, g.burst, g.window_size, g.quiet_seconds,
       coalesce(p.share, g.weight) as weight, g.state, coalesce(p.breaker, 'closed') as breaker,
       coalesce(g.state = 'active' and p.breaker = 'half_open'
                and (p.probed_at is null or p.probed_at < now() - interval '30 seconds'), false) as may_probe
from gateway g left join gateway_pace p on p.gateway_id = g.id order by g.channel, weight desc, g.id

-- name: add_gateway
-- The id comes first, because the settings are encrypted with it bound in.
insert into gateway (id, name, channel, adapter, config_enc, secret, rate, burst, window_size, quiet_seconds, weight)
overriding system value
values (%(id)s, %(name)s, %(channel)s, %(adapter)s, %(config)s, %(secret)s, %(rate)s, %(burst)s,
        %(window)s, %(quiet)s, %(weight)s)

-- name: next_gateway_id
-- Read from the identity's own sequence, so that it keeps counting.
select nextval(pg_get_serial_sequence('gateway', 'id'))::int as id

-- name: change_gateway
-- New settings take effect when a process next opens the account.
update gateway set config_enc = %(config)s, secret = %(secret)s, rate = %(rate)s, burst = %(burst)s,
       window_size = %(window)s, quiet_seconds = %(quiet)s, weight = %(weight)s, state = 'active'
where id = %(id)s

-- name: reset_pace
-- The settings have changed: what the account did before no longer counts.
with mended as (
    update gateway_pace p set breaker = case when p.gateway_id = %(id)s then 'closed' else p.breaker end,
           since = case when p.gateway_id = %(id)s then now() else p.since end,
           pause = case when p.gateway_id = %(id)s then 0 else p.pause end, share = null
    from gateway g, gateway own
    where own.id = %(id)s and g.channel = own.channel and p.gateway_id = g.id
    returning p.gateway_id
)
insert into gateway_change (gateway_id, what, reason) select gateway_id, 'closed', 'settings' from mended
where gateway_id = %(id)s
