-- name: list
-- Batches of the rounds in order, then the messages of each: the limit ends the walk early.
select m.id, m.round_id, m.step, s.channel, m.state,
       case when s.channel = 'rcs' and m.code is distinct from 'sms_fallback' then least(m.parts, 1::smallint)
            else m.parts end as parts, m.tries, m.code, m.at, m.taxpayer_ids,
       m.not_before, o.name as org_name, g.name as gateway
from (
    select b.id, b.shard, b.period, b.gateway_id from batch b join round r on r.id = b.round_id
    where (r.id = %(round_id)s or %(round_id)s::int is null and r.campaign_id = %(campaign_id)s)
      and (%(step)s::int is null or b.step = %(step)s) and b.id >= %(after)s::bigint / 1000
    order by b.id
) b
join lateral (
    select * from message m where m.period = b.period and m.shard = b.shard
      and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000 and m.id > %(after)s
      and (%(state)s::int is null or m.state = %(state)s)
    order by m.id
) m on true
join org_unit o on o.id = m.org_id and o.path like %(path)s || '%%'
join round_step s on s.round_id = m.round_id and s.step = m.step
join gateway g on g.id = b.gateway_id
order by b.id, m.id limit %(limit)s

-- name: unknown
-- The same of those whose outcome is unknown, few among millions: from the index that holds only them
-- (message_doubtful).
select m.id, m.round_id, m.step, s.channel, m.state,
       case when s.channel = 'rcs' and m.code is distinct from 'sms_fallback' then least(m.parts, 1::smallint)
            else m.parts end as parts, m.tries, m.code, m.at, m.taxpayer_ids,
       m.not_before, o.name as org_name, g.name as gateway
from round r
join message m on m.period = r.period and m.round_id = r.id and m.tried_at is not null and m.state = 1
     and m.id > %(after)s and (%(step)s::int is null or m.step = %(step)s)
join batch b on b.shard = m.shard and b.id = m.id / 1000
join org_unit o on o.id = m.org_id and o.path like %(path)s || '%%'
join round_step s on s.round_id = m.round_id and s.step = m.step
join gateway g on g.id = b.gateway_id
where r.id = %(round_id)s or %(round_id)s::int is null and r.campaign_id = %(campaign_id)s
order by m.id limit %(limit)s;
