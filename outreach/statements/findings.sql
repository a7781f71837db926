-- name: counts
-- Current findings of a year by policy, direction and state, of the unit with this path and all below it.
select benefit_code, book as direction, state, n from policy_figures(%(year)s, %(path)s) where book <> 'register';

-- name: chosen
-- The findings themselves, within the scope of whoever decides; held until the transaction ends.
select f.id, f.taxpayer_id, f.benefit_code, f.direction, f.year, f.state, f.is_current
from finding f join taxpayer t on t.id = f.taxpayer_id join org_unit o on o.id = t.org_id
where f.id = any(%(ids)s) and o.path like %(path)s || '%%'
order by f.id
for update of f;

-- name: waiting
-- All of a policy that nobody has verified yet, within the scope.
select f.id, f.taxpayer_id, f.benefit_code, f.direction, f.year, f.state, f.is_current
from finding f join taxpayer t on t.id = f.taxpayer_id join org_unit o on o.id = t.org_id
where f.year = %(year)s and f.benefit_code = %(code)s and f.direction = %(direction)s and f.is_current
  and f.state = 'found' and o.path like %(path)s || '%%'
order by f.id
for update of f;

-- name: decide
update finding
set state = %(state)s, reason = %(reason)s, verified_by = %(by)s, verified_at = business_now()
where id = any(%(ids)s);

-- name: enter_register
-- A confirmed finding makes its household a target of the policy.
insert into register_row as old (benefit_code, year, taxpayer_id, claimed, finding_id)
select benefit_code, year, taxpayer_id, false, id from finding
where id = any(%(ids)s) and direction = 'unclaimed'
on conflict (benefit_code, year, taxpayer_id) do update
set finding_id = excluded.finding_id, changed_at = business_now();

-- name: leave_register
-- A confirmation that is withdrawn: whoever enjoys a part goes on as one who enjoys.
with gone as (
    delete from register_row where finding_id = any(%(ids)s) and not claimed
)
update register_row set finding_id = null, changed_at = business_now()
where finding_id = any(%(ids)s) and claimed;
