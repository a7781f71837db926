-- name: runs
-- Runs of the own subtree, and those of units above that did something there, newest first. Who sees all of a finished
-- run is served from its row; others get the part of their own units.
select r.id, r.kind, r.year, r.scope_org_id as org_id, o.name as org_name, r.by, r.reason, r.expression, r.trouble,
       r.wanted, r.started_at, r.finished_at, r.is_ordered, o.path like %(path)s || '%%' as is_own,
       case when r.state = 'running' and r.beat_at < now() - make_interval(secs => %(lost)s) then 'lost' else r.state end
           as state,
       extract(epoch from now() - r.beat_at)::int as silent_seconds, t.*
from statement_run r join org_unit o on o.id = r.scope_org_id
cross join lateral (
    select coalesce(sum(t.households), 0)::int as households, coalesce(sum(t.documents), 0)::int as documents,
           coalesce(sum(t.corrections), 0)::int as corrections, coalesce(sum(t.unchanged), 0)::int as unchanged,
           coalesce(sum(t.empty), 0)::int as empty, coalesce(sum(t.withdrawn), 0)::int as withdrawn,
           coalesce(sum(t.benefits), 0)::int as benefits
    from statement_tally t join org_unit u on u.id = t.org_id
    where t.run_id = r.id and u.path like %(path)s || '%%') t
where (o.path like %(path)s || '%%' or %(path)s like o.path || '%%' and t.households > 0)
  and (%(id)s::int is null or r.id = %(id)s) and (%(before)s::int is null or r.id < %(before)s)
  and (%(year)s = 0 or r.year = %(year)s) and (%(kind)s = '' or r.kind = %(kind)s)
order by r.id desc limit %(limit)s;

-- name: years
select distinct r.year
from statement_tally t join statement_run r on r.id = t.run_id join org_unit u on u.id = t.org_id
where u.path like %(path)s || '%%' order by r.year desc;

-- name: held
-- Households that hold a document that counts and the benefit lines in these, of the unit acted in: those that belong to
-- it itself (id null), and each unit next below with all that is under it.
select c.id, c.name, c.level, r.kind, sum(t.held)::int as households, sum(t.gained)::bigint as benefits
from statement_tally t join statement_run r on r.id = t.run_id join org_unit u on u.id = t.org_id
left join org_unit c on c.parent_id = %(org)s and u.path like c.path || '%%'
where r.year = %(year)s and u.path like %(path)s || '%%'
group by c.id, c.name, c.level, r.kind
having sum(t.held) <> 0 or sum(t.gained) <> 0
order by c.id nulls first;

-- name: units
-- One run by unit, as `held`.
select c.id, c.name, c.level, sum(t.households)::int as households, sum(t.documents)::int as documents,
       sum(t.corrections)::int as corrections, sum(t.unchanged)::int as unchanged, sum(t.empty)::int as empty,
       sum(t.withdrawn)::int as withdrawn, sum(t.benefits)::int as benefits
from statement_tally t join org_unit u on u.id = t.org_id
left join org_unit c on c.parent_id = %(org)s and u.path like c.path || '%%'
where t.run_id = %(run)s and u.path like %(path)s || '%%'
group by c.id, c.name, c.level order by c.id nulls first;

-- name: of_households
-- Some of the documents that a run wrote for these households of the scope, by chance.
select s.id, s.taxpayer_id, s.version, s.issued_at, s.withdrawn, t.kind, t.name, o.name as org_name, p.id as person_id,
       p.name_enc
from statement s join taxpayer t on t.id = s.taxpayer_id join org_unit o on o.id = t.org_id
left join role x on x.taxpayer_id = t.id and x.role = 'self' and t.name is null
left join person p on p.id = x.person_id
where s.taxpayer_id = any(%(ids)s) and s.kind = %(kind)s and s.year = %(year)s and s.run_id = %(run)s
  and o.path like %(path)s || '%%'
order by random() limit %(limit)s;

-- name: one
-- A document with its sealed content, within the scope.
select s.id, s.taxpayer_id, s.kind, s.year, s.content_enc, s.content_hash
from statement s join taxpayer t on t.id = s.taxpayer_id join org_unit o on o.id = t.org_id
where s.id = %(id)s and o.path like %(path)s || '%%';

-- name: campaigns
-- Campaigns of the kind of message that carries documents, whose rounds began after the run: where it may have been sent.
select c.id, c.name, c.state
from campaign c join org_unit o on o.id = c.org_id
where c.kind = 'bill' and c.variables ->> 'tax_year' = %(year)s::text
  and exists (select from round r join round_step s on s.round_id = r.id join template m on m.id = s.template_id
              where r.campaign_id = c.id and r.started_at >= %(since)s and m.code = 'statement_' || %(kind)s)
  and (o.path like %(path)s || '%%' or %(path)s like o.path || '%%')
order by c.id desc limit 10;
