-- name: campaigns
select c.id, c.name, c.state, o.name as org_name, m.version, m.title,
       coalesce(n.confirmed, 0) as confirmed, coalesce(n.declined, 0) as declined
from campaign c join org_unit o on o.id = c.org_id
left join lateral (select version, title from confirmation_matter
                   where campaign_id = c.id order by version desc limit 1) m on true
left join lateral (
    select count(*) filter (where a.verdict = 'confirmed') as confirmed,
           count(*) filter (where a.verdict = 'declined') as declined
    from confirmation a join taxpayer t on t.id = a.taxpayer_id join org_unit u on u.id = t.org_id
    where a.campaign_id = c.id and u.path like %(path)s || '%%'
      and not exists (select from confirmation later where later.supersedes = a.id)) n on true
where c.kind = 'confirmation' and (o.path like %(path)s || '%%' or %(path)s like o.path || '%%')
order by c.id desc limit 200;

-- name: counts
select count(*) filter (where a.verdict = 'confirmed' and l.id is null) as confirmed,
       count(*) filter (where a.verdict = 'declined' and l.id is null) as declined, count(*) as records
from confirmation a join taxpayer t on t.id = a.taxpayer_id join org_unit u on u.id = t.org_id
left join confirmation l on l.supersedes = a.id
where a.campaign_id = %(campaign)s and u.path like %(path)s || '%%';
