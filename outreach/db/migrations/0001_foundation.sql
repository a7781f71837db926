-- Business time, organisation, partitions by period.

create table business_clock (
    only_row boolean primary key default true check (only_row),
    real_at timestamptz not null,
    business_at timestamptz not null,
    speed double precision not null default 0
);
comment on table business_clock is 'Empty in production. A rehearsal sets one row to move business time.';

create function business_now() returns timestamptz language sql stable as $$
    select coalesce(
        (select business_at + (now() - real_at) * speed from business_clock),
        now())
$$;

create table org_unit (
    id int primary key,
    parent_id int references org_unit,
    level smallint not null check (level between 1 and 5),
    code text not null unique,
    name text not null,
    path text collate "C" not null unique,
    check ((level = 1) = (parent_id is null))
);
comment on column org_unit.level is '1 province, 2 city, 3 county, 4 branch, 5 grid';
comment on column org_unit.path is 'ids from the root, each followed by a dot: 1.4.9. ; a subtree is a prefix';
create index on org_unit (name);

-- A period is a month, yyyymm, of business time (message, recipient) or of arrival (receipt_inbox).
create function ensure_period(parent text, period int) returns void language plpgsql as $$
declare
    child text := parent || '_' || period;
begin
    if to_regclass(child) is null then
        perform pg_advisory_xact_lock(hashtext(child));
        if to_regclass(child) is null then
            execute format('create table %I (like %I including all)', child, parent);
            if parent in ('message', 'recipient') then
                execute format('alter table %I set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)', child);
            end if;
            execute format('alter table %I attach partition %I for values in (%s)', parent, child, period);
        end if;
    end if;
end
$$;
