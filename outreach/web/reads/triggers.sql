-- name: today
-- Events of households of the scope that met a rule's condition since midnight, by what came of them; and those of
-- earlier days that still wait.
select g.round_id, g.outcome, day.began > g.noted_at as is_earlier, count(*)::int as n
from triggered g join taxpayer t on t.id = g.taxpayer_id join org_unit o on o.id = t.org_id,
     (select date_trunc('day', business_now() at time zone 'Asia/Shanghai') at time zone 'Asia/Shanghai' as began) day
where g.round_id = any(%(ids)s::int[]) and o.path like %(path)s || '%%'
  and (g.noted_at >= day.began or g.outcome is null)
group by g.round_id, g.outcome, is_earlier;
