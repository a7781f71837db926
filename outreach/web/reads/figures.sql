-- name: whole
-- Rounds of campaigns at or below the scope: their audience lies in it by construction.
select r.id from round r join campaign c on c.id = r.campaign_id join org_unit o on o.id = c.org_id
where r.id = any(%(ids)s) and o.path like %(path)s || '%%';

-- name: sizes
select round_id, kind, reason, size from round_set where round_id = any(%(ids)s) order by round_id, ordinal;

-- name: bitmaps
select round_id, kind, reason, data from round_set where round_id = any(%(ids)s) order by round_id, ordinal;

-- name: one_set
select data from round_set where round_id = %(id)s and kind = %(kind)s and reason = %(reason)s;

-- name: messages
select m.round_id, m.step, m.state, sum(m.n)::int as n
from message_count m join org_unit o on o.id = m.org_id
where m.round_id = any(%(ids)s) and o.path like %(path)s || '%%'
group by m.round_id, m.step, m.state having sum(m.n) <> 0;
