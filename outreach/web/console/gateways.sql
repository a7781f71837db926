-- name: by_name
select id from gateway where name = %(name)s;

-- name: secret
select secret from gateway where id = %(id)s;

-- name: set_state
update gateway set state = %(state)s where id = %(id)s returning id;
