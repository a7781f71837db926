-- name: add
insert into wall_entry (ticket_id, topic, may_publish) values (%(id)s, %(topic)s, %(may_publish)s);

-- name: entry
select w.ticket_id, w.topic, w.may_publish, w.state, w.text, w.answer, w.decided_by, w.decided_at,
       t.person_id, t.contact_enc, x.name as taxpayer_name, p.name_enc
from wall_entry w join ticket t on t.id = w.ticket_id
left join taxpayer x on x.id = t.taxpayer_id left join person p on p.id = t.person_id
where w.ticket_id = %(id)s;

-- name: decide
update wall_entry set state = %(state)s, text = %(text)s, answer = %(answer)s, decided_by = %(by)s,
       decided_at = business_now()
where ticket_id = %(id)s;

-- name: published
select w.ticket_id as id, w.topic, to_char(t.opened_at at time zone 'Asia/Shanghai', 'YYYY-MM') as month, w.text, w.answer
from wall_entry w join ticket t on t.id = w.ticket_id
where w.state = 'published' and (%(topic)s = '' or w.topic = %(topic)s) and (%(before)s::bigint = 0 or w.ticket_id < %(before)s)
order by w.ticket_id desc limit %(limit)s;

-- name: counts
select topic.code as topic, count(t.id) as total,
       count(t.id) filter (where t.opened_at > business_now() - interval '30 days') as month,
       count(t.id) filter (where t.opened_at <= business_now() - interval '30 days'
                             and t.opened_at > business_now() - interval '60 days') as before,
       count(t.id) filter (where t.state in ('open', 'in_hand')) as waiting,
       count(t.id) filter (where w.state = 'published') as published
from unnest(%(topics)s::text[]) with ordinality as topic (code, place)
left join (wall_entry w join ticket t on t.id = w.ticket_id join org_unit o on o.id = t.home_org_id
                                         and o.path like %(path)s || '%%')
     on w.topic = topic.code
group by topic.code, topic.place order by month desc, total desc, topic.place;

-- name: to_review
select t.id, t.number, w.topic, t.opened_at, t.answered_at, o.name as org_name
from wall_entry w join ticket t on t.id = w.ticket_id join org_unit o on o.id = t.org_id
where w.state = 'new' and w.may_publish and t.state in ('answered', 'closed') and o.path like %(path)s || '%%'
order by t.id limit 50;
