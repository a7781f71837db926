-- name: open_calls
-- One call for one person: a later round joins the call that is open. The rows stay locked.
insert into work_item (kind, person_id, org_id, next_at, due_at, created_at)
select 'call', p.person_id, t.org_id, business_now(), %(due_at)s, business_now()
from (select person_id, min(taxpayer_id) as taxpayer_id
      from unnest(%(persons)s::int[], %(taxpayers)s::int[]) as x (person_id, taxpayer_id) group by person_id) p
join taxpayer t on t.id = p.taxpayer_id
order by p.person_id
on conflict (person_id) where kind = 'call' and state = 'open'
    do update set due_at = least(work_item.due_at, excluded.due_at)

-- name: open_visits
-- One visit to one household, whichever offices want it.
insert into work_item (kind, person_id, taxpayer_id, org_id, next_at, due_at, created_at)
select 'visit', x.person_id, x.taxpayer_id, t.org_id, business_now(), %(due_at)s, business_now()
from unnest(%(persons)s::int[], %(taxpayers)s::int[]) as x (person_id, taxpayer_id)
join taxpayer t on t.id = x.taxpayer_id
order by x.taxpayer_id
on conflict (taxpayer_id) where kind = 'visit' and state = 'open'
    do update set due_at = least(work_item.due_at, excluded.due_at)

-- name: keep_handovers
-- Every household that a rung has come to, also one that needs nothing more; counted in the same statement.
with kept as (
    insert into handover (round_id, step, taxpayer_id, person_id, org_id, reach, item_id, state, reason, at, changed_at)
    select %(round_id)s, %(step)s, x.taxpayer_id, x.person_id, t.org_id, x.reach, i.id, x.state, x.reason,
           business_now(), business_now()
    from unnest(%(taxpayers)s::int[], %(persons)s::int[], %(reaches)s::smallint[], %(states)s::smallint[],
                %(reasons)s::text[]) as x (taxpayer_id, person_id, reach, state, reason)
    join taxpayer t on t.id = x.taxpayer_id
    left join work_item i on x.state = 0 and i.state = 'open' and i.kind = %(kind)s
         and case %(kind)s when 'call' then i.person_id = x.person_id else i.taxpayer_id = x.taxpayer_id end
    on conflict do nothing
    returning taxpayer_id
), counted as (
    insert into handover_count (round_id, step, n)
    select %(round_id)s, %(step)s, count(*) from kept having count(*) > 0
)
select count(*)::int as n from kept

-- name: lock_items_of
-- In one order, before their handovers: whoever writes down a result holds the item first.
select id from work_item where id in (
    select item_id from handover
    where round_id = %(round_id)s and taxpayer_id = any(%(taxpayers)s) and state = 0)
order by id for update

-- name: close_households
-- Nobody needs to call or visit them for this round any more.
update handover set state = %(state)s, reason = %(reason)s, changed_at = business_now()
where round_id = %(round_id)s and taxpayer_id = any(%(taxpayers)s) and state = 0

-- name: close_idle
-- Items for which nothing is left to do.
update work_item i set closed_at = business_now(), outcome = %(reason)s,
       state = case when exists (select from handover h where h.item_id = i.id and h.state = 1)
                    then 'done' else 'given_up' end
where i.id = any(%(items)s) and i.state = 'open'
  and not exists (select from handover h where h.item_id = i.id and h.state = 0)

-- name: lock_item
-- Within the scope of whoever acts; held until her transaction ends.
select i.id, i.kind, i.person_id, i.taxpayer_id, i.org_id, i.state, i.assigned_to, i.approved_at, i.tries, i.due_at,
       business_now() as now
from work_item i join org_unit o on o.id = i.org_id
where i.id = %(item_id)s and o.path like %(path)s || '%%' for update of i

-- name: open_handovers
-- What an item is for, with the rung of a visit below it if its round has one.
select h.round_id, h.step, h.taxpayer_id, h.person_id, h.reach,
       (select s.step from round_step s
        where s.round_id = h.round_id and s.channel = 'visit' and s.step > h.step
          and (h.reach >> s.step) & 1 = 1) as visit_step
from handover h where h.item_id = %(item_id)s and h.state = 0 order by h.round_id, h.taxpayer_id

-- name: close_item
-- With all that it was for.
with closed as (
    update handover set state = %(number)s, reason = %(reason)s, changed_at = business_now()
    where item_id = %(item_id)s and state = 0
)
update work_item set state = %(state)s, outcome = %(reason)s, closed_at = business_now() where id = %(item_id)s
