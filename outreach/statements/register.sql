-- name: sums
-- Households of the base registers of a year by state and, counted by themselves, all of them; of the unit with this path
-- and all below it.
select benefit_code, state, sum(n)::int as n from policy_figures(%(year)s, %(path)s)
where book = 'register' and (%(code)s::text is null or benefit_code = %(code)s)
group by grouping sets ((benefit_code, state), (benefit_code));

-- name: rows
-- One household a row, in order of id.
select r.taxpayer_id, r.state, r.claimed, r.finding_id, r.reason, r.reason_by, r.reason_at, r.reason_source,
       r.changed_at, t.kind, t.name, t.tax_no_enc, o.name as org_name, p.id as person_id, p.name_enc,
       w.kind as contact_kind, w.result as contact_result, w.at as contact_at
from register_row r join taxpayer t on t.id = r.taxpayer_id join org_unit o on o.id = t.org_id
left join role s on s.taxpayer_id = t.id and s.role = 'self' and t.name is null
left join person p on p.id = s.person_id
left join lateral (
    select i.kind, a.result, a.at
    from handover h join work_item i on i.id = h.item_id join work_attempt a on a.item_id = i.id
    where h.taxpayer_id = r.taxpayer_id and h.round_id = any(%(rounds)s)
    order by a.at desc limit 1
) w on true
where r.benefit_code = %(code)s and r.year = %(year)s and o.path like %(path)s || '%%'
  and (%(state)s = '' or r.state = %(state)s) and r.taxpayer_id > %(after)s
order by r.taxpayer_id limit %(limit)s;

-- name: members
-- Whose reached households are counted.
select array_agg(r.taxpayer_id) as ids
from register_row r join taxpayer t on t.id = r.taxpayer_id join org_unit o on o.id = t.org_id
where r.benefit_code = %(code)s and r.year = %(year)s and o.path like %(path)s || '%%';

-- name: rounds
-- Rounds whose frozen audience names the findings of the policy, with saved segments written out.
select round_id from round_set
where kind = 'audience' and strpos(expression, %(term)s) > 0
order by round_id;

-- name: give_reason
-- Only of somebody who has not claimed it yet; an empty reason takes the last one back.
update register_row r
set reason = said.reason, reason_by = said.by, reason_at = said.at, reason_source = said.source,
    changed_at = business_now()
from taxpayer t, org_unit o, lateral (
    select %(reason)s::text as reason, %(by)s::text as by, business_now() as at, 'staff' as source
    where %(reason)s::text <> '' union all
    select null, null, null, null where %(reason)s::text = '') said
where t.id = r.taxpayer_id and o.id = t.org_id and o.path like %(path)s || '%%' and r.benefit_code = %(code)s
  and r.year = %(year)s and r.taxpayer_id = any(%(ids)s) and r.finding_id is not null
returning r.taxpayer_id;

-- name: take_results
-- What the last call or visit of the policy's rounds said, where it is younger than what the register says.
with said as (
    select distinct on (h.taxpayer_id) h.taxpayer_id, i.kind, a.by, a.at,
           case when a.result in ('cannot', 'unwilling', 'unreachable') then a.result
                when a.result = 'moved' or i.outcome = 'exhausted' then 'unreachable' end as reason
    from handover h join work_item i on i.id = h.item_id join work_attempt a on a.item_id = i.id
    where h.round_id = any(%(rounds)s)
    order by h.taxpayer_id, a.at desc, a.id desc
)
update register_row r
set reason = said.reason, reason_by = said.by, reason_at = said.at, reason_source = said.kind,
    changed_at = business_now()
from said, taxpayer t, org_unit o
where said.taxpayer_id = r.taxpayer_id and t.id = r.taxpayer_id and o.id = t.org_id
  and o.path like %(path)s || '%%' and r.benefit_code = %(code)s and r.year = %(year)s
  and r.finding_id is not null and said.reason is not null
  and (r.reason_at is null or said.at > r.reason_at)
returning r.taxpayer_id;
