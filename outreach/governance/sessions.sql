-- name: account
select id, login, password_hash, state, org_id, totp_confirmed_at from account where login = %(login)s;

-- name: clean
delete from session where expires_at < now() or seen_at < now() - %(idle)s;

-- name: open
insert into session (token_hash, account_id, csrf_token, scope_org_id, second_factor, expires_at)
values (%(hash)s, %(id)s, %(csrf)s, %(org_id)s, %(second_factor)s, now() + %(absolute)s);

-- name: resume
-- One round trip for every page: session, account, roles and scope. The idle clock moves at most once a
-- minute. A scope that is no longer below the account's own unit falls back to the account's own unit.
with live as (
    select s.*, a.login, a.display_name, a.org_id, a.totp_confirmed_at
    from session s join account a on a.id = s.account_id
    where s.token_hash = %(hash)s and a.state = 'active'
      and s.expires_at > now() and s.seen_at > now() - %(idle)s
), touched as (
    update session set seen_at = now() from live
    where %(touch)s and session.token_hash = live.token_hash and live.seen_at < now() - interval '1 minute'
)
select live.account_id, live.csrf_token, live.login, live.display_name, live.org_id, live.expires_at,
       live.second_factor, live.totp_confirmed_at, home.path as home_path,
       scope.id as scope_org_id, scope.path as scope_path, scope.name as scope_name,
       array(select role from account_role r where r.account_id = live.account_id order by role) as roles
from live
join org_unit home on home.id = live.org_id
join org_unit scope on scope.id = (
    select case when chosen.path like home.path || '%%' then chosen.id else home.id end
    from org_unit chosen where chosen.id = live.scope_org_id);

-- name: end
delete from session where token_hash = %(hash)s;

-- name: switch
update session set scope_org_id = %(org_id)s where token_hash = %(hash)s;
