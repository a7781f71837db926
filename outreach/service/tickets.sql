-- name: draw
select nextval('ticket_id') as id, business_now() as now from generate_series(1, %(count)s);

-- name: add
insert into ticket (id, number, source, channel, org_id, home_org_id, taxpayer_id, person_id, place_id, inbound_id,
                    rating_id, external_ref, text_enc, contact_enc, due_on)
values (%(id)s, %(number)s, %(source)s, %(channel)s, %(org_id)s, %(org_id)s, %(taxpayer_id)s, %(person_id)s,
        %(place_id)s, %(inbound_id)s, %(rating_id)s, %(external_ref)s, %(text)s, %(contact)s, %(due_on)s)
on conflict do nothing;

-- name: opened
insert into ticket_step (id, ticket_id, kind, by)
select nextval('ticket_step_id'), id, 'opened', %(by)s from unnest(%(ids)s::bigint[]) as id order by id;

-- name: hold
-- Who sees a ticket: the unit where it belongs and who has to act, with all above them. Who may act: the latter.
select t.id, t.state, t.source, t.org_id, o.name as org_name, o.parent_id, o.path like %(path)s || '%%' as is_own,
       t.person_id is not null or t.contact_enc is not null as can_call,
       exists (select from ticket_step s where s.ticket_id = t.id and s.kind = 'called' and s.outcome <> 'unreached'
                 and s.id > coalesce((select max(r.id) from ticket_step r
                                      where r.ticket_id = t.id and r.kind = 'reopened'), 0)) as called
from ticket t join org_unit o on o.id = t.org_id join org_unit h on h.id = t.home_org_id
where t.id = %(id)s and (o.path like %(path)s || '%%' or h.path like %(path)s || '%%')
for update of t;

-- name: take
-- An answer that did not satisfy is none.
update ticket set state = 'in_hand', handler = %(by)s where id = %(id)s;

-- name: move
update ticket set org_id = %(org_id)s, state = 'open', handler = null where id = %(id)s;

-- name: answer
update ticket set state = 'answered', handler = %(by)s, answered_at = coalesce(answered_at, business_now())
where id = %(id)s;

-- name: close
update ticket set state = 'closed', closed_at = business_now() where id = %(id)s;

-- name: reopen
update ticket set state = 'in_hand', closed_at = null, answered_at = null where id = %(id)s;

-- name: draw_step
select nextval('ticket_step_id') as id;

-- name: add_step
insert into ticket_step (id, ticket_id, kind, by, text_enc, org_id, outcome)
values (%(id)s, %(ticket_id)s, %(kind)s, %(by)s, %(text)s, %(org_id)s, %(outcome)s);
