-- Two who make a month's table at once: whoever waited for the lock still remembers that there is none, because
-- nothing tells a session that waits for an advisory lock what has become of names. The other has committed by then.
create or replace function ensure_period(parent text, period int) returns void language plpgsql as $$
declare
    child text := parent || '_' || period;
begin
    if to_regclass(child) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext(child));
    begin
        execute format('create table %I (like %I including all)', child, parent);
    exception when duplicate_table then
        return;
    end;
    if parent in ('message', 'recipient') then
        execute format('alter table %I set (fillfactor = %s, autovacuum_vacuum_scale_factor = 0.05)',
                       child, case parent when 'message' then 35 else 60 end);
    end if;
    execute format('alter table %I attach partition %I for values in (%s)', parent, child, period);
end
$$;
