-- name: lock_head
-- The one point where audited transactions meet.
select id, hash from audit_head for update;

-- name: append
with event as (
    insert into audit_event (id, at, actor, action, object, detail, hash)
    values (%(id)s, %(at)s, %(actor)s, %(action)s, %(object)s, %(detail)s, %(hash)s)
    returning id, hash
)
update audit_head set id = event.id, hash = event.hash from event;

-- name: page
select id, at, actor, action, object, detail, hash from audit_event
where id > %(after)s order by id limit %(limit)s;

-- name: head
select id, hash from audit_head;
