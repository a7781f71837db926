-- How many findings and register rows there are by org unit, policy and state, so that a page of figures reads hundreds
-- of rows and not millions (docs/decisions/0017-policy-counts.md).

create table policy_count (
    org_id int not null,
    year smallint not null,
    book text not null check (book in ('unclaimed', 'wrong', 'cliff', 'register')),
    benefit_code text not null,
    state text not null,
    own int not null,
    n int not null,
    primary key (org_id, year, book, benefit_code, state)
);
comment on table policy_count is 'folded; what has changed since stands in policy_delta, and both together are exact';
comment on column policy_count.book is 'the direction of current findings, or the base register';
comment on column policy_count.own is 'those of households of the unit itself; n also holds all units below it';

create table policy_delta (
    org_id int not null,
    year smallint not null,
    book text not null,
    benefit_code text not null,
    state text not null,
    n int not null
);
comment on table policy_delta is 'appended in the transaction of the change itself and folded by the scheduler: no hot row';

-- Whoever changes a finding and whoever moves its household to another unit must not pass each other: each would count
-- from what she saw. Changes share the lock, moves have it alone.
create function count_changed_findings() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7640034);
    if tg_op = 'INSERT' then
        insert into policy_delta (org_id, year, book, benefit_code, state, n)
        select t.org_id, f.year, f.direction, f.benefit_code, f.state, count(*)
        from now_is f join taxpayer t on t.id = f.taxpayer_id where f.is_current group by 1, 2, 3, 4, 5;
    elsif tg_op = 'DELETE' then
        insert into policy_delta (org_id, year, book, benefit_code, state, n)
        select t.org_id, f.year, f.direction, f.benefit_code, f.state, -count(*)
        from was f join taxpayer t on t.id = f.taxpayer_id where f.is_current group by 1, 2, 3, 4, 5;
    else
        insert into policy_delta (org_id, year, book, benefit_code, state, n)
        select t.org_id, f.year, f.direction, f.benefit_code, f.state, sum(f.sign)
        from (select *, -1 as sign from was union all select *, 1 from now_is) f join taxpayer t on t.id = f.taxpayer_id
        where f.is_current group by 1, 2, 3, 4, 5 having sum(f.sign) <> 0;
    end if;
    return null;
end
$$;

create function count_changed_registers() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7640034);
    if tg_op = 'INSERT' then
        insert into policy_delta (org_id, year, book, benefit_code, state, n)
        select t.org_id, r.year, 'register', r.benefit_code, r.state, count(*)
        from now_is r join taxpayer t on t.id = r.taxpayer_id group by 1, 2, 4, 5;
    elsif tg_op = 'DELETE' then
        insert into policy_delta (org_id, year, book, benefit_code, state, n)
        select t.org_id, r.year, 'register', r.benefit_code, r.state, -count(*)
        from was r join taxpayer t on t.id = r.taxpayer_id group by 1, 2, 4, 5;
    else
        insert into policy_delta (org_id, year, book, benefit_code, state, n)
        select t.org_id, r.year, 'register', r.benefit_code, r.state, sum(r.sign)
        from (select *, -1 as sign from was union all select *, 1 from now_is) r join taxpayer t on t.id = r.taxpayer_id
        group by 1, 2, 4, 5 having sum(r.sign) <> 0;
    end if;
    return null;
end
$$;

-- Households that move to another unit take their findings and register rows with them. What is compared is grouped, not
-- joined: nobody has counted the rows of a transition table, and a nested loop over it would take minutes.
create function count_moved_households() returns trigger language plpgsql as $$
begin
    if not exists (select id, org_id from was except select id, org_id from now_is) then
        return null;
    end if;
    perform pg_advisory_xact_lock(7640034);
    insert into policy_delta (org_id, year, book, benefit_code, state, n)
    select side.org_id, c.year, c.book, c.benefit_code, c.state, sum(side.sign)
    from (select id, max(org_id) filter (where sign < 0) as home, max(org_id) filter (where sign > 0) as new_home
          from (select id, org_id, -1 as sign from was union all select id, org_id, 1 from now_is) sides
          group by id having max(org_id) <> min(org_id)) m,
         lateral (select f.year, f.direction as book, f.benefit_code, f.state from finding f
                  where f.taxpayer_id = m.id and f.is_current
                  union all
                  select r.year, 'register', r.benefit_code, r.state from register_row r where r.taxpayer_id = m.id) c,
         lateral (values (m.home, -1), (m.new_home, 1)) side (org_id, sign)
    group by 1, 2, 3, 4, 5;
    return null;
end
$$;

-- The unit and all above it, from its path.
create function units_above(path text) returns setof int language sql immutable as $$
    select unnest(string_to_array(trim(trailing '.' from path), '.')::int[])
$$;

-- The advisory lock of whoever writes policy_count: one who folds, or units that move.
create function policy_count_lock() returns bigint language sql immutable as 'select 7640035::bigint';

-- Units that move in the tree take what is their own from those above them to those that are now.
create function count_moved_units() returns trigger language plpgsql as $$
begin
    if not exists (select id, path from was except select id, path from now_is) then
        return null;
    end if;
    perform pg_advisory_xact_lock(policy_count_lock());
    insert into policy_count (org_id, year, book, benefit_code, state, own, n)
    select above.id, c.year, c.book, c.benefit_code, c.state, 0, sum(m.sign * c.own)
    from (select id, path, -1 as sign from was union all select id, path, 1 from now_is) m
    join policy_count c on c.org_id = m.id and c.own <> 0, units_above(m.path) as above (id)
    group by 1, 2, 3, 4, 5 having sum(m.sign * c.own) <> 0
    on conflict (org_id, year, book, benefit_code, state) do update set n = policy_count.n + excluded.n;
    return null;
end
$$;

-- The figures of a scope: its folded totals, and what has changed below it since.
create function policy_figures(asked_year int, asked_path text)
returns table (book text, benefit_code text, state text, n int) language sql stable as $$
    select c.book, c.benefit_code, c.state, sum(c.n)::int
    from (select p.book, p.benefit_code, p.state, p.n
          from policy_count p join org_unit scope on scope.id = p.org_id
          where scope.path = asked_path and p.year = asked_year
          union all
          select d.book, d.benefit_code, d.state, d.n
          from policy_delta d join org_unit o on o.id = d.org_id
          where d.year = asked_year and o.path like asked_path || '%') c
    group by c.book, c.benefit_code, c.state having sum(c.n) <> 0
$$;

create trigger finding_inserted after insert on finding referencing new table as now_is
    for each statement execute function count_changed_findings();
create trigger finding_updated after update on finding referencing old table as was new table as now_is
    for each statement execute function count_changed_findings();
create trigger finding_deleted after delete on finding referencing old table as was
    for each statement execute function count_changed_findings();
create trigger register_inserted after insert on register_row referencing new table as now_is
    for each statement execute function count_changed_registers();
create trigger register_updated after update on register_row referencing old table as was new table as now_is
    for each statement execute function count_changed_registers();
create trigger register_deleted after delete on register_row referencing old table as was
    for each statement execute function count_changed_registers();
create trigger taxpayer_moved after update on taxpayer referencing old table as was new table as now_is
    for each statement execute function count_moved_households();
create trigger unit_moved after update on org_unit referencing old table as was new table as now_is
    for each statement execute function count_moved_units();

-- What there is already, for the scheduler to fold.
insert into policy_delta (org_id, year, book, benefit_code, state, n)
select t.org_id, f.year, f.direction, f.benefit_code, f.state, count(*)
from finding f join taxpayer t on t.id = f.taxpayer_id where f.is_current group by 1, 2, 3, 4, 5
union all
select t.org_id, r.year, 'register', r.benefit_code, r.state, count(*)
from register_row r join taxpayer t on t.id = r.taxpayer_id group by 1, 2, 4, 5;
