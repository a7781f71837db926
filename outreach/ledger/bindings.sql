-- name: pick_gateway
-- The heaviest active account of the channel.
select id from gateway where channel = %(channel)s and state = 'active' order by weight desc, id limit 1

-- name: person_of_visit
-- Whom the link of a verified visit was for.
select person_id from link where token_hash = %(token_hash)s

-- name: begin
insert into address_binding (state_hash, token_hash, person_id, gateway_id, expires_at)
values (%(state)s, %(token_hash)s, %(person_id)s, %(gateway_id)s, now() + make_interval(secs => %(seconds)s))

-- name: take
-- Once: whoever repeats the address finds nothing.
update address_binding set taken_at = now() where state_hash = %(state)s and taken_at is null and expires_at > now()
returning gateway_id

-- name: keep
update address_binding set value_enc = %(value)s where state_hash = %(state)s and taken_at is not null

-- name: confirm
-- By the visit that began it, and once.
update address_binding b set bound_at = now(), value_enc = null
from (select state_hash, value_enc from address_binding where state_hash = %(state)s for update) held
where b.state_hash = held.state_hash and b.token_hash = %(token_hash)s and b.bound_at is null
  and b.expires_at > now() and held.value_enc is not null
returning b.person_id, b.gateway_id, held.value_enc

-- name: address_id
select coalesce((select id from address where person_id = %(person_id)s and kind = %(kind)s),
                nextval('address_id')::int) as id

-- name: bind
-- What was learned about another address says nothing about this one.
insert into address (id, person_id, kind, value_enc, bidx, dest, verified_at)
values (%(id)s, %(person_id)s, %(kind)s, %(value)s, %(bidx)s, %(dest)s, now())
on conflict (person_id, kind) do update set value_enc = excluded.value_enc, bidx = excluded.bidx,
    dest = excluded.dest, verified_at = now(), usable = true, unusable_reason = null, updated_at = now()

-- name: households_of
select taxpayer_id from contact where person_id = %(person_id)s

-- name: forget
-- An attempt is worth nothing an hour after its end.
delete from address_binding where expires_at < now() - interval '1 hour'
