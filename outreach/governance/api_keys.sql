-- name: create
insert into api_key (prefix, key_hash, name, org_id, permissions, expires_at, created_by)
values (%(prefix)s, %(hash)s, %(name)s, %(org_id)s, %(permissions)s, now() + %(days)s * interval '1 day', %(by)s)
returning id;

-- name: find
-- The time of last use is moved at most once an hour, so a busy key does not make a hot row.
with found as (
    select k.id, k.key_hash, k.name, k.org_id, k.permissions, o.path, k.used_at
    from api_key k join org_unit o on o.id = k.org_id
    where k.prefix = %(prefix)s and k.revoked_at is null and k.expires_at > now()
), used as (
    update api_key set used_at = now() from found
    where api_key.id = found.id and (found.used_at is null or found.used_at < now() - interval '1 hour')
)
select * from found;

-- name: revoke
update api_key k set revoked_at = now() from org_unit o
where k.id = %(id)s and o.id = k.org_id and o.path like %(path)s || '%%' and k.revoked_at is null
returning k.id;

-- name: list
select k.id, k.prefix, k.name, k.org_id, o.name as org_name, k.permissions, k.expires_at, k.revoked_at,
       k.used_at, k.created_by, k.created_at
from api_key k join org_unit o on o.id = k.org_id
where o.path like %(path)s || '%%' order by k.id desc;
