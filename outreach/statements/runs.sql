-- name: open
-- A run that whoever calls carries out at once.
insert into statement_run (kind, year, scope_org_id, by, reason, state, expression, members, beat_at, started_at)
values (%(kind)s, %(year)s, %(scope)s, %(by)s, %(reason)s, 'running', %(expression)s, %(members)s, now(), business_now())
returning id;

-- name: is_laid_out
select exists (select from statement_block where run_id = %(run)s) as yes;

-- name: lay_out
-- Where the blocks end, found once, so that several can be read at the same time, and kept: whoever goes on with the
-- run does the rest of the same blocks.
insert into statement_block (run_id, last_id, after_id, households)
select %(run)s, last, coalesce(lag(last) over (order by last), -1), n
from (select max(id) as last, count(*) as n
      from (select t.id, (row_number() over (order by t.id) - 1) / %(block)s as page
            from taxpayer t join org_unit o on o.id = t.org_id
            where o.path like %(path)s and (%(chosen)s::int[] is null or t.id = any(%(chosen)s))) numbered
      group by page) pages;

-- name: note_wanted
update statement_run
set wanted = (select coalesce(sum(households), 0) from statement_block where run_id = %(run)s)
where id = %(run)s;

-- name: open_blocks
select after_id, last_id from statement_block where run_id = %(run)s and done_at is null order by last_id;

-- name: close_block
-- Once only, and not after the run was stopped; the row is locked until its documents are committed.
update statement_block b set done_at = now()
from statement_run r
where b.run_id = %(run)s and b.last_id = %(last)s and b.done_at is null and r.id = b.run_id and r.state = 'running'
returning b.last_id;

-- name: tally
-- The units in one order, so that two blocks never wait for each other.
insert into statement_tally as old
    (run_id, org_id, households, documents, corrections, unchanged, empty, withdrawn, benefits, held, gained)
select %(run)s, * from unnest(
    %(units)s::int[], %(households)s::int[], %(documents)s::int[], %(corrections)s::int[], %(unchanged)s::int[],
    %(empty)s::int[], %(withdrawn)s::int[], %(benefits)s::int[], %(held)s::int[], %(gained)s::int[])
on conflict (run_id, org_id) do update
set households = old.households + excluded.households, documents = old.documents + excluded.documents,
    corrections = old.corrections + excluded.corrections, unchanged = old.unchanged + excluded.unchanged,
    empty = old.empty + excluded.empty, withdrawn = old.withdrawn + excluded.withdrawn,
    benefits = old.benefits + excluded.benefits, held = old.held + excluded.held,
    gained = old.gained + excluded.gained;

-- name: pace
-- Households a second over the last half minute, of which the run may not have worked all.
select coalesce(sum(households) filter (where done_at > now() - interval '30 seconds')
                / greatest(1, least(30, extract(epoch from now() - min(done_at)))), 0)::float as per_second
from statement_block where run_id = %(run)s;

-- name: beat
-- Whoever carries it out is alive, and still the one.
update statement_run set beat_at = now()
where id = %(run)s and state = 'running' and owner is not distinct from %(owner)s
returning wanted;

-- name: sums
select coalesce(sum(households), 0)::int as households, coalesce(sum(documents), 0)::int as documents,
       coalesce(sum(corrections), 0)::int as corrections, coalesce(sum(unchanged), 0)::int as unchanged,
       coalesce(sum(empty), 0)::int as empty, coalesce(sum(benefits), 0)::int as benefits
from statement_tally where run_id = %(run)s;

-- name: finish
update statement_run
set households = %(households)s, documents = %(documents)s, corrections = %(corrections)s, unchanged = %(unchanged)s,
    empty = %(empty)s, benefits = %(benefits)s, state = 'finished', finished_at = business_now(), owner = null,
    members = null
where id = %(run)s and state = 'running'
returning kind, year, scope_org_id, by;

-- name: forget_blocks
delete from statement_block where run_id = %(run)s;
