-- name: unknown_messages
-- Never hidden: each with the gateway's last word. `tried_at` is set while the outcome is unknown, and only those
-- stand in the index that is read here (message_doubtful).
select m.id, m.round_id, m.step, s.channel, b.gateway_id, g.name as gateway, g.adapter, b.lane, m.code, m.at, m.tries,
       m.not_before, m.at + g.receipt_deadline as deadline, m.person_id, m.taxpayer_ids, o.name as org_name,
       a.id as address_id, a.value_enc, a.dest is distinct from m.dest as has_moved, a.kind,
       (select n.channel from round_step n where n.round_id = m.round_id and n.step > m.step
        and (m.reach >> n.step) & 1 = 1 order by n.step limit 1) as next_channel,
       extract(epoch from m.not_before - now())::float8 as rests, business_now() as now
from round r
join message m on m.period = r.period and m.round_id = r.id and m.tried_at is not null and m.state = 1
     and m.id > %(after)s and (%(codes)s::text[] is null or coalesce(m.code, '') = any(%(codes)s))
join batch b on b.shard = m.shard and b.id = m.id / 1000 and (%(gateway_id)s::int is null or b.gateway_id = %(gateway_id)s)
join org_unit o on o.id = m.org_id and o.path like %(path)s || '%%'
join gateway g on g.id = b.gateway_id
join round_step s on s.round_id = m.round_id and s.step = m.step
left join address a on a.person_id = m.person_id
     and a.kind = case s.channel when 'wechat' then 'openid' when 'email' then 'email' when 'wecom' then 'wecom_userid'
                             when 'dingtalk' then 'dingtalk_userid' else 'mobile' end
where r.id = %(round_id)s or %(round_id)s::int is null and r.campaign_id = %(campaign_id)s
order by m.id limit %(limit)s

-- name: unknown_counts
-- By account and last word; whoever waits longer than the account's receipts take is counted apart.
select b.gateway_id, g.name as gateway, g.adapter, coalesce(m.code, '') as code, count(*)::int as n,
       count(*) filter (where m.not_before is null and m.at + g.receipt_deadline <= business_now())::int as overdue
from round r join message m on m.period = r.period and m.round_id = r.id and m.tried_at is not null and m.state = 1
join batch b on b.shard = m.shard and b.id = m.id / 1000
join org_unit o on o.id = m.org_id and o.path like %(path)s || '%%'
join gateway g on g.id = b.gateway_id
where r.id = %(round_id)s or %(round_id)s::int is null and r.campaign_id = %(campaign_id)s
group by b.gateway_id, g.name, g.adapter, coalesce(m.code, '') order by n desc

-- name: scope_path
-- The path of a unit, for who comes with its id.
select path from org_unit where id = %(org_id)s
