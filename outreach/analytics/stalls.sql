-- name: round_facts
-- The round as it stands, and whether somebody would carry it. `uncut`: households of which no message has been
-- cut yet (messages go to persons, so it is at least the number of messages to come). `void_reason`: why a signature
-- that there was no longer holds. `review_owed_since`: until when an emergency should have been reviewed.
select r.id, r.state, r.starts_at, r.ends_at, r.started_at, r.finished_at, c.state as campaign_state, c.quiet_from,
       r.stagger, c.org_id, r.stuck_reason, r.pause_reason, r.anchor_attribute is not null as is_rule, r.trigger is not null as is_triggered,
       r.canary_position is not null and r.canary_verdict is null as canary_waits, r.canary_hold, r.canary_sent_at,
       next.opens_at as opens_next, coalesce(next.households, 0)::int as closed_households,
       (select coalesce(sum(households), 0)::int from round_slice s
        where s.round_id = r.id and s.opens_at >= r.ends_at) as dayless_households,
       c.quiet_to, business_now() as now,
       (select e.due_at from emergency_start e where e.campaign_id = c.id and e.decision is null
        and e.due_at < business_now()) as review_owed_since,
       (select v.note from campaign_review v where v.campaign_id = c.id and v.what = 'campaign'
        and v.decision is null and v.asked_by = 'system:scheduler') as void_reason,
       greatest(coalesce(r.planned, 0) - (
           select coalesce(sum(households), 0) from message_count where round_id = r.id)
         - (select count(*) from handover h where h.round_id = r.id and not exists (
                select from message m where m.period = r.period and m.person_id = h.person_id
                  and m.round_id = r.id)), 0)::int as uncut,
       (select count(*)::int from worker where kind = 'worker' and seen_at > now() - %(alive)s) as workers,
       coalesce((select at > now() - %(ticking)s from scheduler_tick), false) as ticks
from round r join campaign c on c.id = r.campaign_id,
     lateral (select min(opens_at) as opens_at, sum(households) as households from round_slice s
              where s.round_id = r.id and s.opens_at > business_now() and s.opens_at < r.ends_at) next
where r.id = %(round_id)s

-- name: step_facts
-- The ladder with its messages by state. `more`: starters of the step that are still to be cut.
select s.step, s.channel, s.state, s.wait, s.version_id is not null as bound,
       coalesce(m.planned, 0)::int as planned, coalesce(m.unknown, 0)::int as unknown,
       coalesce(m.accepted, 0)::int as accepted, coalesce(m.failed, 0)::int as failed,
       exists (select from recipient p where p.period = r.period and p.round_id = r.id and p.first_step = s.step
               and p.position > s.cursor_position) as more,
       exists (select from round_step n where n.round_id = s.round_id and n.step > s.step) as has_next
from round_step s join round r on r.id = s.round_id
left join lateral (
    select sum(n) filter (where state = 0) as planned, sum(n) filter (where state = 1) as unknown,
           sum(n) filter (where state = 2) as accepted, sum(n) filter (where state = 4) as failed
    from message_count c where c.round_id = s.round_id and c.step = s.step) m on true
where s.round_id = %(round_id)s and s.channel not in ('call', 'visit') order by s.step

-- name: account_facts
-- The accounts of the round's channels: how they stand, what of the round waits at each, and what of all rounds.
select g.id, g.name, g.channel, g.state, g.rate, coalesce(p.breaker, 'closed') as breaker,
       extract(epoch from p.since + p.pause * interval '1 second' - now())::float8 as next_seconds,
       coalesce(why.reason, '') as reason, coalesce(why.detail, '{}') as detail,
       coalesce(own.waiting, 0)::int as waiting, coalesce(own.lane, 4)::int as lane,
       coalesce(every.waiting, 0)::int as backlog
from gateway g
left join gateway_pace p on p.gateway_id = g.id
left join lateral (select c.reason, c.detail from gateway_change c
                   where c.gateway_id = g.id and c.what = 'opened' order by c.id desc limit 1) why on true
left join lateral (select sum(n - settled) as waiting, min(lane) as lane from batch
                   where round_id = %(round_id)s and gateway_id = g.id and state = 0) own on true
left join lateral (select sum(n - settled) as waiting from batch
                   where gateway_id = g.id and state = 0) every on true
where g.channel = any(select channel from round_step where round_id = %(round_id)s) order by g.channel, g.id

-- name: resting_facts
-- Messages that the reconciler holds back: refused for now, or unknown and to be looked into.
select count(*) filter (where state = 0)::int as deferred, count(*) filter (where state = 1)::int as looked_into,
       extract(epoch from min(not_before) filter (where state = 0) - now())::float8 as next_seconds
from message where round_id = %(round_id)s and not_before is not null
