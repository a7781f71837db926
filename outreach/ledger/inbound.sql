-- name: person_of
-- Who sent it, as far as the address tells: with several persons on one number the youngest message decides.
select a.person_id, m.id as message_id
from address a
left join lateral (select id, at from message where person_id = a.person_id and state in (1, 2, 3, 4, 5)
                   order by period desc, at desc limit 1) m on true
where a.dest = %(dest)s and a.kind = %(kind)s
order by m.at desc nulls last limit 1

-- name: persons_at
-- Everybody who is reached at an address.
select person_id from address where dest = %(dest)s and kind = %(kind)s

-- name: person_of_message
-- The message tells whom it was for, also one outside any round.
select m.person_id, b.gateway_id, c.kind from batch b
join message m on m.period = b.period and m.shard = b.shard and m.id = %(message_id)s
join round r on r.id = m.round_id join campaign c on c.id = r.campaign_id
where b.shard = %(shard)s and b.id = %(batch_id)s
union all
select person_id, gateway_id, null from direct_message where id = %(message_id)s

-- name: add_inbound
-- Providers repeat their pushes; the second one changes nothing.
insert into inbound (gateway_id, provider_id, person_id, message_id, kind, dest, text_enc, address_enc, action, at)
values (%(gateway_id)s, %(provider_id)s, %(person_id)s, %(message_id)s, %(kind)s, %(dest)s, %(text)s, %(address)s,
        %(action)s, coalesce(%(at)s, now()))
on conflict (gateway_id, provider_id) where provider_id <> '' do nothing returning id

-- name: households_of
-- Whose contacts the persons are.
select taxpayer_id from contact where person_id = any(%(persons)s)

-- name: close_address
-- A follower who left cannot be reached until she comes back.
update address set usable = %(usable)s, unusable_reason = %(reason)s, updated_at = now()
where person_id = %(person_id)s and kind = %(kind)s
