-- name: take_ids
select nextval('statement_id') as id from generate_series(1, %(n)s);
