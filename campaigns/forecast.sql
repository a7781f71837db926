-- name: round_ahead
-- A round as its planning reads it, without waiting for or holding anything.
select r.id, r.segment, r.starts_at, r.ends_at, r.stagger, r.canary_permille, r.anchor_attribute,
       r.anchor_days, r.trigger is not null as waits, c.segment as campaign_segment, c.done_segment, c.exempt_segment, c.dispute_segment,
       c.kind, c.org_id, c.holdout_permille, c.holdout_seed, c.quota_messages, c.quota_days, c.quiet_from,
       c.quiet_to, c.care_path, c.contact_roles, business_now() as now
from round r join campaign c on c.id = r.campaign_id where r.id = %(round_id)s

-- name: contents_ahead
-- What each rung says: the version that is bound, or the newest.
select s.step, s.channel, coalesce(b.content, n.content) as content, c.variables, s.code, c.name as campaign
from round_step s join round r on r.id = s.round_id join campaign c on c.id = r.campaign_id
left join template_version b on b.id = s.version_id
left join lateral (select content from template_version v where v.template_id = s.template_id
                   order by version desc limit 1) n on true
where s.round_id = %(round_id)s order by s.step

-- name: accounts_ahead
-- What the accounts of each channel can take, what waits there, and what they charge by their weights: nothing is
-- told where one of them has no price.
select g.channel, sum(g.rate)::float8 as rate, coalesce(sum(b.waiting), 0)::bigint as waiting,
       case when count(p.yuan) = count(*) then sum(p.yuan * g.weight) / nullif(sum(g.weight), 0) end as yuan
from gateway g left join channel_price p on p.gateway_id = g.id
left join lateral (select sum(n - settled) as waiting from batch where gateway_id = g.id and state = 0) b on true
where g.state = 'active' group by g.channel
