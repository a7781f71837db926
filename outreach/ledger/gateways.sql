-- name: all_gateways
-- The configured accounts, by channel and weight.
select id, name, channel, adapter, config_enc, secret, rate, burst, window_size, quiet_seconds, weight, state
from gateway order by channel, weight desc, id

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
