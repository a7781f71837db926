-- name: keep_events
-- Repeated keys change nothing. Only taxpayers within the scope of whoever reports.
with given as (
    select * from unnest(%(keys)s::text[], %(taxpayers)s::int[], %(types)s::text[], %(ats)s::timestamptz[])
        as g (event_key, taxpayer_id, type, at)
)
insert into event (event_key, taxpayer_id, type, at, source)
select g.event_key, g.taxpayer_id, g.type, g.at, %(source)s
from given g join taxpayer t on t.id = g.taxpayer_id join org_unit o on o.id = t.org_id, org_unit scope
where scope.id = %(scope)s and o.path like scope.path || '%%'
on conflict (source, event_key) do nothing
returning taxpayer_id, type

-- name: history
-- Everything that gave or took a contested label, oldest first.
select taxpayer_id, type from event
where taxpayer_id = any(%(taxpayers)s) and type = any(%(types)s) order by at, id
