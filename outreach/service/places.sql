-- name: make
insert into service_place (org_id, kind, name, token, created_by)
select %(org_id)s, %(kind)s, one.name, one.token, %(by)s
from unnest(%(names)s::text[], %(tokens)s::text[]) as one (name, token);

-- name: list
select p.id, p.kind, p.name, p.token, p.org_id, o.name as bureau, p.created_at, p.closed_at,
       coalesce(r.n, 0) as ratings, r.average, coalesce(t.n, 0) as tickets
from service_place p join org_unit o on o.id = p.org_id
left join (select place_id, count(*) as n, round(avg(stars), 2) as average from rating
           where place_id is not null group by place_id) r on r.place_id = p.id
left join (select place_id, count(*) as n from ticket
           where place_id is not null group by place_id) t on t.place_id = p.id
where o.path like %(path)s || '%%' and p.closed_at is null order by o.path, p.kind, p.id limit 2000;

-- name: by_token
select p.id, p.kind, p.name, p.token, p.org_id, o.name as bureau, p.created_at, p.closed_at
from service_place p join org_unit o on o.id = p.org_id where p.token = %(token)s and p.closed_at is null;

-- name: close
update service_place p set closed_at = now() from org_unit o
where p.id = %(id)s and o.id = p.org_id and o.path like %(path)s || '%%' and p.closed_at is null returning p.id;

-- name: note_post
with old as (delete from public_post where at < now() - interval '1 day'),
     noted as (insert into public_post (network) values (%(network)s))
select count(*) as n from public_post where network = %(network)s and at > now() - interval '10 minutes';
