-- name: list
select t.id, t.number, t.source, t.channel, t.state, t.handler, t.opened_at, t.due_on, t.answered_at, t.closed_at,
       t.taxpayer_id, t.text_enc, t.contact_enc, o.name as org_name, p.name as place,
       o.path like %(path)s || '%%' as is_own,
       t.state in ('open', 'in_hand') and t.due_on < (business_now() at time zone 'Asia/Shanghai')::date as is_overdue
from ticket t join org_unit o on o.id = t.org_id join org_unit h on h.id = t.home_org_id
left join service_place p on p.id = t.place_id
where (o.path like %(path)s || '%%' or h.path like %(path)s || '%%')
  and (%(source)s = '' or t.source = %(source)s) and (%(number)s = '' or t.number = upper(%(number)s))
  and case %(state)s when '' then true
        when 'unanswered' then t.state in ('open', 'in_hand')
        when 'overdue' then t.state in ('open', 'in_hand')
             and t.due_on < (business_now() at time zone 'Asia/Shanghai')::date
        else t.state = %(state)s end
  and (t.due_on, t.id) > (%(day)s::date, %(after)s)
order by t.due_on, t.id limit %(limit)s;

-- name: one
select t.id, t.number, t.source, t.channel, t.state, t.handler, t.opened_at, t.due_on, t.answered_at, t.closed_at,
       t.taxpayer_id, t.person_id, t.text_enc, t.contact_enc, t.org_id, o.name as org_name, o.parent_id, p.name as place,
       h.name as home_name, o.path like %(path)s || '%%' as is_own,
       t.state in ('open', 'in_hand') and t.due_on < (business_now() at time zone 'Asia/Shanghai')::date as is_overdue
from ticket t join org_unit o on o.id = t.org_id join org_unit h on h.id = t.home_org_id
left join service_place p on p.id = t.place_id
where t.id = %(id)s and (o.path like %(path)s || '%%' or h.path like %(path)s || '%%');

-- name: steps
select s.id, s.kind, s.by, s.at, s.outcome, s.text_enc, o.name as org_name
from ticket_step s left join org_unit o on o.id = s.org_id where s.ticket_id = %(id)s order by s.id;

-- name: counts
select count(*) as waiting,
       count(*) filter (where t.due_on < today.d) as overdue,
       count(*) filter (where t.due_on between today.d and today.d + 1) as soon
from ticket t join org_unit o on o.id = t.org_id,
     lateral (select (business_now() at time zone 'Asia/Shanghai')::date as d) today
where t.state in ('open', 'in_hand') and o.path like %(path)s || '%%';
