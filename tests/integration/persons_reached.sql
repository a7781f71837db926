-- The rule of `campaigns/persons.py` in one statement of SQL, written independently of it.
create function persons_reached(
    planned int[], steps smallint[], channels text[], kinds text[], topic text,
    care int[], mongolian int[], call_first boolean
) returns table (person_id int, taxpayer_ids int[], org_id int, reach int, apart int) language sql stable as $$
    with named as materialized (
        select c.person_id, array_agg(t.id order by t.id) as taxpayer_ids,
               (array_agg(t.org_id order by t.id))[1] as org_id,
               bool_or(k.id is not null and t.kind <> 'enterprise') as in_care,
               bool_or(m.id is not null and t.kind <> 'enterprise') as reads_mongolian
        from unnest(planned) as x (id)
        join taxpayer t on t.id = x.id join contact c on c.taxpayer_id = x.id
        left join unnest(care) as k (id) on k.id = x.id
        left join unnest(mongolian) as m (id) on m.id = x.id
        group by c.person_id
    ), rungs as (
        select * from unnest(steps, channels, kinds) as s (step, channel, kind)
    ), judged as materialized (
        select n.person_id, n.taxpayer_ids, n.org_id,
               case when call_first and (n.in_care or p.special_care)
                         and exists (select from rungs where channel in ('call', 'visit')) then 1 else 0 end
               + case when n.reads_mongolian or p.language = 'mn' then 2 else 0 end as apart
        from named n
        left join (select id, special_care, language from person where special_care or language = 'mn') p
            on p.id = n.person_id
    ), able as (
        select a.person_id, s.step, s.channel from judged j
        join address a on a.person_id = j.person_id and a.usable
        join rungs s on s.kind = a.kind and (s.channel <> 'rcs' or a.rcs is distinct from false)
        union all
        select j.person_id, s.step, s.channel from judged j cross join rungs s where s.channel = 'visit'
    ), willing as (
        select e.person_id, sum(1 << e.step) as whole,
               sum(1 << e.step) filter (where e.channel in ('call', 'visit')) as spoken,
               sum(1 << e.step) filter (where e.channel = 'sms') as texts
        from able e
        left join (select person_id, channel from opt_out where topic <> '') o
            on o.person_id = e.person_id and o.channel in ('all', e.channel, topic)
        where o.person_id is null
        group by e.person_id
    )
    select j.person_id, j.taxpayer_ids, j.org_id,
           case j.apart when 0 then w.whole
                        when 1 then coalesce(w.spoken, 0)
                        when 2 then w.whole - coalesce(w.texts, 0)
                        else coalesce(w.spoken, 0) end::int,
           j.apart
    from willing w join judged j on j.person_id = w.person_id
$$;
