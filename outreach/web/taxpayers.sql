-- name: message_code
-- What anybody may know of a message by its code.
select o.name as bureau, c.kind, r.started_at
from round_step s join round r on r.id = s.round_id join campaign c on c.id = r.campaign_id
join org_unit o on o.id = c.org_id
where s.code = upper(%(code)s) and r.started_at is not null
