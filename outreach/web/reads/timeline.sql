-- name: messages
-- By the persons who look after the household; the index of each month leads with the person.
select m.at, m.state, m.code, m.round_id, m.taxpayer_ids, s.channel, r.ordinal, c.name as campaign
from role p join message m on m.person_id = p.person_id
join round r on r.id = m.round_id join campaign c on c.id = r.campaign_id
join round_step s on s.round_id = m.round_id and s.step = m.step
where p.taxpayer_id = %(id)s and %(id)s = any(m.taxpayer_ids) and m.state <> 0
group by m.period, m.shard, m.id, m.at, m.state, m.code, m.round_id, m.taxpayer_ids, s.channel, r.ordinal, c.name
order by m.at desc limit %(limit)s;

-- name: inbound
select i.at, i.kind from inbound i
where i.person_id in (select person_id from role where taxpayer_id = %(id)s)
order by i.at desc limit %(limit)s;

-- name: events
select at, type, source from event where taxpayer_id = %(id)s order by at desc limit %(limit)s;

-- name: refusals
-- Of publicity, by channel or topic; the contact's choice holds for her households.
select c.at, c.source, c.added, c.removed, substr(c.set_key, 8) as refused from set_change c
where c.set_key like 'optout:%%' and %(id)s between c.low and c.high
order by c.id desc limit %(limit)s;

-- name: label_changes
-- The bounds of a change tell cheaply that it does not concern a household; the bitmaps tell for certain.
select c.at, c.as_of, c.source, c.added, c.removed, l.name, l.options,
       split_part(substr(c.set_key, 7), '=', 1) as code, split_part(substr(c.set_key, 7), '=', 2) as value
from set_change c left join label l on l.code = split_part(substr(c.set_key, 7), '=', 1)
where c.set_key like 'label:%%' and %(id)s between c.low and c.high
order by c.id desc limit %(limit)s;
