-- name: load_messages
-- Everything about the messages of a stretch of one batch that rendering and the gate need.
select m.id, m.person_id, m.taxpayer_ids, m.org_id, m.state, m.tries, m.dest, m.tried_at, m.ref,
       a.id as address_id, a.value_enc, a.usable, a.dest as now_dest
from message m
left join address a on a.person_id = m.person_id and a.kind = %(kind)s
where m.period = %(period)s and m.shard = %(shard)s and m.id = any(%(ids)s)
order by m.id

-- name: taxpayer_names
-- Names of enterprises are public; natural persons are named by their person row.
select id, name from taxpayer where id = any(%(ids)s)

-- name: person_names
-- Sealed; opened only where a message shows them.
select id, name_enc from person where id = any(%(ids)s)

-- name: org_names
-- What the message calls the responsible office.
select id, name from org_unit where id = any(%(ids)s)

-- name: step_content
-- What a step says, and under which code the gateway knows it.
select v.content, t.channel, c.variables, s.code, c.name as campaign,
       coalesce((select provider_code from template_filing f
                 where f.version_id = v.id and f.gateway_id = %(gateway_id)s), '') as filing
from round_step s
join round r on r.id = s.round_id join campaign c on c.id = r.campaign_id
join template_version v on v.id = s.version_id join template t on t.id = v.template_id
where s.round_id = %(round_id)s and s.step = %(step)s

-- name: attribute_types
-- Which of a content's variables are attributes.
select code, type from attribute where code = any(%(codes)s)

-- name: link_expiry
-- A message of the round's last hour is read as late as one of its first.
select greatest(%(ends_at)s::timestamptz, business_now() + %(days)s * interval '1 day') as expires_at
