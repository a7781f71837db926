-- name: list
select id, at, actor, action, object, detail, encode(hash, 'hex') as hash from audit_event
where (%(actor)s = '' or actor = %(actor)s) and action like %(action)s
  and (%(before)s::bigint is null or id < %(before)s)
order by id desc limit %(limit)s;
