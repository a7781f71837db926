-- name: today
-- Events of households of the scope that met a rule's condition since midnight, by what came of them.
select g.round_id, g.outcome, count(*)::int as n
from triggered g join taxpayer t on t.id = g.taxpayer_id join org_unit o on o.id = t.org_id
where g.round_id = any(%(ids)s::int[]) and o.path like %(path)s || '%%'
  and g.noted_at >= date_trunc('day', business_now() at time zone 'Asia/Shanghai') at time zone 'Asia/Shanghai'
group by g.round_id, g.outcome;
