-- name: account
-- Whoever is logged in proves it once more.
select login, password_hash, totp_confirmed_at is not null as second_factor from account
where id = %(id)s and state = 'active';
