-- name: unfiled
-- Steps of rounds that have still to begin whose every account in service sends filed texts only and has none for
-- the version that is bound, or else the newest.
select r.name as round, s.step, s.channel, t.name as template, array_agg(g.name order by g.name) as accounts
from round r join round_step s on s.round_id = r.id join template t on t.id = s.template_id
join gateway g on g.channel = s.channel and g.state = 'active'
left join template_filing f on f.gateway_id = g.id and f.version_id = coalesce(s.version_id, (
    select id from template_version v where v.template_id = s.template_id order by version desc limit 1))
where (r.campaign_id = %(campaign_id)s::int or r.id = %(round_id)s::int) and r.state = 'scheduled'
group by r.ordinal, r.name, s.step, s.channel, t.name
having bool_and(g.adapter = any(%(filed_only)s) and f.gateway_id is null)
order by r.ordinal, s.step
