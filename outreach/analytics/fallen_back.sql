-- name: due
-- The rounds with 5G messages whose counters have moved since the last look, not sooner than twenty times the
-- time that it took: counting costs a twentieth of one connection at most. A round that ended before the last
-- receipts can have come is not looked at again.
select r.id as round_id, c.counters
from round r
join lateral (
    select string_agg(format('%%s.%%s.%%s', step, state, n), ',' order by step, state) as counters from (
        select step, state, sum(n) as n from message_count m where m.round_id = r.id group by step, state) k
) c on c.counters is not null
left join round_fallen_back_look l on l.round_id = r.id
where exists (select from round_step s where s.round_id = r.id and s.channel = 'rcs')
  and not exists (select from period_archive p where p.period = r.period and p.state = 'archived')
  and (l.round_id is null or r.finished_at is null or r.finished_at > business_now() - interval '4 days')
  and (l.round_id is null or l.counters <> c.counters and l.looked_at + 20 * l.took < now())
order by l.looked_at nulls first limit 1

-- name: forget
-- Counted anew.
delete from round_fallen_back where round_id = %(round_id)s

-- name: count
-- What the operator turned into SMS, and the SMS that went to whoever a 5G message of the round had not reached.
-- Parts are those billed.
insert into round_fallen_back (round_id, org_id, by_operator, by_ladder, parts)
select b.round_id, m.org_id, count(*) filter (where s.channel = 'rcs'), count(*) filter (where s.channel = 'sms'),
       coalesce(sum(m.parts), 0)
from batch b
join round_step s on s.round_id = b.round_id and s.step = b.step and s.channel in ('rcs', 'sms')
join message m on m.period = b.period and m.shard = b.shard
     and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000
where b.round_id = %(round_id)s
  and case s.channel when 'rcs' then m.state in (3, 5) and m.code = 'sms_fallback'
      else m.sent_at is not null and exists (
          select from message e join round_step x on x.round_id = e.round_id and x.step = e.step
          where e.period = m.period and e.person_id = m.person_id and e.round_id = m.round_id
            and e.step < m.step and x.channel = 'rcs') end
group by b.round_id, m.org_id

-- name: note
-- When, after how much, and how long it took.
insert into round_fallen_back_look (round_id, counters, looked_at, took)
values (%(round_id)s, %(counters)s, now(), clock_timestamp() - now())
on conflict (round_id) do update set counters = excluded.counters, looked_at = excluded.looked_at, took = excluded.took

-- name: fallen_back
-- Of each round of a campaign, within the scope.
select f.round_id, sum(f.by_operator)::int as by_operator, sum(f.by_ladder)::int as by_ladder,
       sum(f.parts)::int as parts
from round_fallen_back f join round r on r.id = f.round_id
join org_unit o on o.id = f.org_id, org_unit scope
where r.campaign_id = %(campaign_id)s and scope.id = %(scope)s and o.path like scope.path || '%%'
group by f.round_id
