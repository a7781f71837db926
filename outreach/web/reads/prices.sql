-- name: prices
select g.id as gateway_id, g.name, g.channel, p.yuan, p.set_by, p.set_at
from gateway g left join channel_price p on p.gateway_id = g.id where g.state = 'active' order by g.channel, g.id;

-- name: set_price
insert into channel_price (gateway_id, yuan, set_by) select id, %(yuan)s, %(by)s from gateway where id = %(gateway_id)s
on conflict (gateway_id) do update set yuan = excluded.yuan, set_by = excluded.set_by, set_at = now()
returning gateway_id;
