-- name: add_attempt
-- What came of it, by whom; the note is sealed under the attempt's own number.
insert into work_attempt (id, item_id, at, by, result, call_back_at, note_enc)
values (%(id)s, %(item_id)s, business_now(), %(by)s, %(result)s, %(call_back_at)s, %(note)s)

-- name: next_attempt
-- Drawn before the note is sealed.
select nextval(pg_get_serial_sequence('work_attempt', 'id'))::int as id

-- name: wait
-- Until the next attempt.
update work_item set next_at = %(next_at)s, tries = tries + %(missed)s where id = %(item_id)s

-- name: hand_on
-- Of a call's households, those whose round ends at their door: closed here, open there.
update handover set state = 2, reason = 'handed_on', changed_at = business_now()
where item_id = %(item_id)s and state = 0 and round_id = any(%(rounds)s)

-- name: due_of
-- Until when their rounds run.
select id, ends_at from round where id = any(%(rounds)s)

-- name: number_is_wrong
-- Nothing leaves for it any more.
update address set usable = false, unusable_reason = %(result)s, updated_at = now()
where person_id = %(person_id)s and kind = 'mobile' and usable returning id

-- name: households_of
-- Whose contact she is.
select taxpayer_id from contact where person_id = %(person_id)s

-- name: wants_no_calls
-- Publicity does not call her again; statutory reminders may.
insert into opt_out (person_id, channel, at, source) values (%(person_id)s, 'call', business_now(), '外呼')
on conflict do nothing

-- name: assign
-- Within the scope of whoever assigns; a visit only once it is approved.
update work_item i set assigned_to = %(login)s
from org_unit o
where o.id = i.org_id and o.path like %(path)s || '%%' and i.id = any(%(items)s) and i.state = 'open'
  and (i.kind = 'call' or i.approved_at is not null)
returning i.id

-- name: colleague
-- Somebody of the unit, or above it, who may take work.
select a.login, o.path, array(select role from account_role r where r.account_id = a.id) as roles
from account a join org_unit o on o.id = a.org_id where a.login = %(login)s and a.state = 'active'
