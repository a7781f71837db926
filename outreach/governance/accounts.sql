-- name: create
insert into account (login, display_name, password_hash, org_id)
values (%(login)s, %(display_name)s, %(hash)s, %(org_id)s)
on conflict (login) do nothing returning id;

-- name: lock
select id from account where id = %(id)s for update;

-- name: give_role
insert into account_role (account_id, role) values (%(id)s, %(role)s);

-- name: take_roles
delete from account_role where account_id = %(id)s;

-- name: end_sessions
-- Whoever loses a power loses it now, not at the next log-in.
delete from session where account_id = %(id)s;

-- name: set_state
update account set state = %(state)s where id = %(id)s;

-- name: secret
select a.login, a.password_hash, array(select role from account_role where account_id = a.id) as roles
from account a where a.id = %(id)s;

-- name: set_password
update account set password_hash = %(hash)s, password_at = now() where id = %(id)s;

-- name: org_path
select path from org_unit where id = %(id)s;

-- name: list
select a.id, a.login, a.display_name, a.state, a.created_at, a.org_id, o.name as org_name,
       a.totp_confirmed_at is not null as second_factor,
       array(select role from account_role r where r.account_id = a.id order by role) as roles,
       (select max(seen_at) from session s where s.account_id = a.id) as seen_at
from account a join org_unit o on o.id = a.org_id
where o.path like %(path)s || '%%'
order by o.path, a.login;

-- name: one
select a.id, a.login, a.display_name, a.state, a.created_at, a.org_id, o.name as org_name,
       a.totp_confirmed_at is not null as second_factor,
       array(select role from account_role r where r.account_id = a.id order by role) as roles
from account a join org_unit o on o.id = a.org_id
where a.id = %(id)s and o.path like %(path)s || '%%';
