-- name: lock
-- Not waited for: the next look comes soon.
select pg_try_advisory_xact_lock(policy_count_lock()) as mine;

-- name: fold
-- Readers see the same sums before, during and after.
with taken as (
    delete from policy_delta returning *
), changed as (
    select org_id, year, book, benefit_code, state, sum(n) as n
    from taken group by org_id, year, book, benefit_code, state having sum(n) <> 0
)
insert into policy_count as old (org_id, year, book, benefit_code, state, own, n)
select above.id, c.year, c.book, c.benefit_code, c.state,
       coalesce(sum(c.n) filter (where above.id = c.org_id), 0), sum(c.n)
from changed c join org_unit o on o.id = c.org_id, units_above(o.path) as above (id)
group by above.id, c.year, c.book, c.benefit_code, c.state
on conflict (org_id, year, book, benefit_code, state) do update
set own = old.own + excluded.own, n = old.n + excluded.n;
