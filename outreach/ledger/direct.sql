-- name: pick_gateway
-- The heaviest active account of the channel.
select id from gateway where channel = %(channel)s and state = 'active' order by weight desc, id limit 1

-- name: person_address
-- Where a person is reached on a channel; what is confidential goes to a proved address only.
select a.id, a.value_enc from address a where a.person_id = %(person_id)s and a.kind = %(kind)s and a.usable
  and (a.verified_at is not null or not %(only_proved)s)

-- name: begin_direct
-- Durable before it leaves: until the gateway answers nobody can tell.
insert into direct_message (person_id, gateway_id, purpose) values (%(person_id)s, %(gateway_id)s, %(purpose)s)
returning id

-- name: end_direct
-- By rank, like every message.
update direct_message set state = %(state)s, ref = %(ref)s, code = %(code)s
where id = %(id)s and state_rank(%(state)s::smallint) > state_rank(state)

-- name: filing_of
-- The newest filed version of a template at this gateway.
select v.id, v.content, coalesce(f.provider_code, '') as filing
from template t join template_version v on v.template_id = t.id
left join template_filing f on f.version_id = v.id and f.gateway_id = %(gateway_id)s
where t.code = %(code)s and t.channel = %(channel)s and t.language = 'zh'
order by v.version desc limit 1

-- name: version_filed
-- A version of a template, with its code at this gateway.
select v.content, coalesce(f.provider_code, '') as filing
from template_version v left join template_filing f on f.version_id = v.id and f.gateway_id = %(gateway_id)s
where v.id = %(version_id)s
