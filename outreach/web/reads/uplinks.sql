-- name: list
-- What came in on all channels, newest first. A known sender's belongs to the units of the households that she
-- has a role for; who sent the others nobody knows, so that only the topmost unit sees them.
select i.id, i.at, i.arrived_at, i.kind, i.action, i.person_id, i.gateway_id, i.text_enc, i.address_enc,
       g.name as gateway, g.channel, mine.taxpayer_ids
from inbound i join gateway g on g.id = i.gateway_id
left join lateral (
    select array_agg(distinct t.id order by t.id) as taxpayer_ids
    from role r join taxpayer t on t.id = r.taxpayer_id join org_unit o on o.id = t.org_id
    where r.person_id = i.person_id and o.path like %(path)s || '%%'
) mine on true
where (mine.taxpayer_ids is not null
       or i.person_id is null and exists (select from org_unit where path = %(path)s and parent_id is null))
  and (%(channel)s = '' or g.channel = %(channel)s)
  and (%(topic)s = '' or %(topic)s = case when i.action <> '' then i.action
                                          when i.kind = 'suggestion' then 'button' else 'question' end)
  and (%(known)s::boolean is null or (i.person_id is not null) = %(known)s)
  and (%(since)s::timestamptz is null or i.at >= %(since)s)
  and (%(until)s::timestamptz is null or i.at < %(until)s)
  and i.id < %(before)s
order by i.id desc limit %(limit)s;
