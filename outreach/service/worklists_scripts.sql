-- name: purposes
-- What an item is for, by round and rung: open ones, and of a closed item all.
select h.round_id, h.step, array_agg(h.taxpayer_id order by h.taxpayer_id) as taxpayer_ids, h.person_id, i.org_id,
       r.name as round_name, r.ends_at, c.name as campaign, c.variables, s.code, s.channel, v.content
from handover h join work_item i on i.id = h.item_id
join round r on r.id = h.round_id join campaign c on c.id = r.campaign_id
join round_step s on s.round_id = h.round_id and s.step = h.step join template_version v on v.id = s.version_id
where h.item_id = %(item_id)s and (h.state = 0 or i.state <> 'open')
group by h.round_id, h.step, h.person_id, i.org_id, r.name, r.ends_at, c.name, c.variables, s.code, s.channel, v.content
order by r.ends_at, h.round_id

-- name: contact
-- Whom to call, and where she is reached.
select p.id, p.name_enc, p.language, p.special_care, a.id as address_id, a.value_enc, a.usable
from work_item i join person p on p.id = i.person_id
left join address a on a.person_id = p.id and a.kind = 'mobile' where i.id = %(item_id)s
