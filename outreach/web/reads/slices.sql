-- name: slices
-- By day and group, over all halls: how many, how many in the fullest hall, and whether they may be cut.
select s.opens_on as day, min(s.opens_at) as opens_at, min(s.planned_on) as planned_on, s.label, sum(s.persons)::int as persons,
       sum(s.households)::int as households, max(s.persons) filter (where s.org_id is not null) as busiest,
       (array_agg(o.name order by s.persons desc) filter (where s.org_id is not null))[1] as busiest_hall,
       s.opens_at >= e.ends_at as has_no_day,
       max(s.last_position) <= round_open_position(s.round_id) as is_open,
       min(s.opens_at) <= business_now() as is_due,
       coalesce(bool_and(s.last_position <= c.cut), false) as is_cut
from round_slice s join round e on e.id = s.round_id left join org_unit o on o.id = s.org_id
left join lateral (
    select case when bool_or(p.position is not null) then min(p.position) - 1 else 2147483647 end as cut
    from round_step t join round r on r.id = t.round_id
    left join lateral (select position from recipient x where x.period = r.period and x.round_id = r.id
                       and x.first_step = t.step and x.position > t.cursor_position
                       order by position limit 1) p on true
    where t.round_id = s.round_id and t.channel not in ('call', 'visit')) c on true
where s.round_id = %(round_id)s
group by s.round_id, s.opens_on, s.opens_at >= e.ends_at, s.label order by s.opens_on, min(s.ordinal) limit %(limit)s;

-- name: occurrences
-- What has followed from a round: days of a rule, and looks at it again.
select id, name, state, occurs_on, starts_at, planned from round where parent_id = %(round_id)s
order by id desc limit %(limit)s;
