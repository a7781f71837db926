-- name: lock
select pg_advisory_xact_lock(('x' || encode(substr(%(login)s::bytea, 1, 8), 'hex'))::bit(64)::bigint);

-- name: tries
select count(*) filter (where login_hash = %(login)s)::int as account, count(*)::int as remote,
       max(at) as last, clock_timestamp() as now
from login_attempt where remote = %(remote)s and at > now() - interval '1 hour';

-- name: note
insert into login_attempt (login_hash, remote, at) values (%(login)s, %(remote)s, clock_timestamp());

-- name: forget
delete from login_attempt
where (login_hash = %(login)s and remote = %(remote)s) or at < now() - interval '1 day';
