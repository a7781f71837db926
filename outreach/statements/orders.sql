-- name: order
insert into statement_run
    (kind, year, scope_org_id, by, reason, state, is_ordered, expression, members, wanted, started_at)
values (%(kind)s, %(year)s, %(scope)s, %(by)s, %(reason)s, 'waiting', true, %(expression)s, %(members)s, %(wanted)s,
        business_now())
returning id;

-- name: take
-- The oldest that waits, or whose worker has given no sign for too long.
update statement_run
set state = 'running', owner = %(owner)s, beat_at = now(), attempts = attempts + 1
where id = (select id from statement_run
            where state = 'waiting'
               or state = 'running' and is_ordered and beat_at < now() - make_interval(secs => %(lost)s)
            order by id limit 1 for update skip locked)
returning id, kind, year, scope_org_id, by, reason, members, wanted, attempts;

-- name: give_back
-- A worker that ends in order: the next one need not wait until it is missed.
update statement_run set state = 'waiting', owner = null, attempts = attempts - 1
where id = %(run)s and owner = %(owner)s and state = 'running';

-- name: stop
update statement_run set state = 'stopped', owner = null where id = %(run)s and state in ('waiting', 'running')
returning id;

-- name: resume
update statement_run set state = 'waiting', is_ordered = true, owner = null, attempts = 0, trouble = ''
where id = %(run)s
  and (state in ('stopped', 'failed') or state = 'running' and beat_at < now() - make_interval(secs => %(lost)s))
returning id;

-- name: fail
update statement_run set state = 'failed', trouble = %(trouble)s, owner = null
where id = %(run)s and owner = %(owner)s and state = 'running'
returning id;
