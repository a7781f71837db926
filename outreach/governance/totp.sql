-- name: lock
select totp_secret_enc, totp_confirmed_at from account where id = %(id)s for update;

-- name: store
update account set totp_secret_enc = %(secret)s, totp_last_step = 0 where id = %(id)s;

-- name: secret
select totp_secret_enc from account where id = %(id)s;

-- name: spend
-- A code works once: the step only moves forward, also between two tries at the same moment.
update account set totp_last_step = %(step)s where id = %(id)s and totp_last_step < %(step)s;

-- name: confirm
update account set totp_confirmed_at = now() where id = %(id)s;

-- name: reset
with ended as (delete from session where account_id = %(id)s)
update account set totp_secret_enc = null, totp_confirmed_at = null where id = %(id)s;
