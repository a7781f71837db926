-- name: finished
-- The oldest run of a standing order whose new versions are not announced.
select id, kind, year, scope_org_id, standing_members from statement_run
where standing_id is not null and announced_at is null and state = 'finished'
order by id limit 1

-- name: versions
select id, taxpayer_id, issued_at from statement
where taxpayer_id = any(%(ids)s) and kind = %(kind)s and year = %(year)s and run_id = %(run)s and not withdrawn
order by id

-- name: close
update statement_run set announced_at = business_now(), standing_members = null where id = %(run)s
