-- name: begin
insert into statement_standing (kind, org_id, by)
select %(kind)s, id, %(by)s from org_unit where id = %(org)s and path like %(path)s || '%%'
on conflict (kind, org_id) where ended_at is null do nothing
returning id;

-- name: end
update statement_standing s set ended_at = business_now(), ended_by = %(by)s
from org_unit o
where s.id = %(id)s and s.ended_at is null and o.id = s.org_id and o.path like %(path)s || '%%'
returning s.kind, s.org_id;

-- name: drop_stale
delete from statement_stale where standing_id = %(id)s;

-- name: list
select s.id, s.kind, s.org_id, o.name as org_name, s.by, s.since,
       (select count(*) from statement_stale w where w.standing_id = s.id) as waiting
from statement_standing s join org_unit o on o.id = s.org_id
where s.ended_at is null and o.path like %(path)s || '%%'
order by o.path, s.kind;

-- name: note_stale
-- Of this year and the one before: older ones are closed books, which staff issue anew where they must.
insert into statement_stale (standing_id, year, taxpayer_id)
select s.id, moved.year, t.id
from statement_standing s
join org_unit unit on unit.id = s.org_id
join org_unit o on o.path like unit.path || '%%'
join taxpayer t on t.org_id = o.id
join unnest(%(ids)s::int[], %(years)s::int[]) as moved (id, year) on moved.id = t.id
where s.ended_at is null
  and moved.year between extract(year from business_now() at time zone 'Asia/Shanghai') - 1
                       and extract(year from business_now() at time zone 'Asia/Shanghai')
order by s.id, moved.year, t.id
on conflict do nothing;

-- name: due
-- One run of a standing order at a time: what changes meanwhile waits for the next.
select s.id, s.kind, s.org_id, s.by, (select min(year) from statement_stale w where w.standing_id = s.id) as year
from statement_standing s
where s.ended_at is null and exists (select from statement_stale w where w.standing_id = s.id)
  and not exists (select from statement_run r
                  where r.standing_id = s.id and r.announced_at is null and r.state in ('waiting', 'running'))
order by s.id
for update of s skip locked;

-- name: take_stale
delete from statement_stale where standing_id = %(id)s and year = %(year)s returning taxpayer_id;

-- name: mark_run
update statement_run set standing_id = %(standing)s, standing_members = %(members)s where id = %(run)s;
