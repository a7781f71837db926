-- name: callable
-- Calls of the scope that are due, one row a person with all her households.
select i.id, i.due_at, p.id as person_id, p.name_enc, p.language, p.special_care, a.id as address_id, a.value_enc,
       array(select distinct coalesce(t.name, '') from handover h join taxpayer t on t.id = h.taxpayer_id
             where h.item_id = i.id and h.state = 0 order by 1) as names
from work_item i join org_unit o on o.id = i.org_id join person p on p.id = i.person_id
join address a on a.person_id = p.id and a.kind = 'mobile' and a.usable
where o.path like %(path)s || '%%' and i.kind = 'call' and i.state = 'open' and i.next_at < %(day)s
order by i.due_at, i.id limit %(limit)s
