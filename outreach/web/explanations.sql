-- name: by_code
-- What anybody may know of a message by its code.
select o.name as bureau, c.kind, c.purpose, c.legal_basis, r.started_at
from round_step s join round r on r.id = s.round_id join campaign c on c.id = r.campaign_id
join org_unit o on o.id = c.org_id
where s.code = upper(%(code)s) and r.started_at is not null

-- name: by_link
-- With the rule as its audience was frozen by it.
select o.name as bureau, c.kind, c.purpose, c.legal_basis, r.started_at, c.org_id, s.expression,
       c.done_segment <> 'nobody' as spares_done
from link l join round r on r.id = l.round_id join campaign c on c.id = r.campaign_id
join org_unit o on o.id = c.org_id
left join round_set s on s.round_id = r.id and s.kind = 'audience'
where l.token_hash = %(hash)s and r.started_at is not null
