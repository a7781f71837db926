-- name: mark_tick
-- Whoever asks why nothing moves sees whether a scheduler ticks.
insert into scheduler_tick (at) values (now()) on conflict (only_row) do update set at = now()

-- name: running_rounds
-- Their ladders, whether slices of an earlier day still wait, and whether their windows have closed; also those
-- whose window has closed before they began.
select r.id, r.ends_at <= business_now() as over, r.state, r.started_at,
       r.canary_position is not null and r.canary_verdict is null as canary_waits,
       array(select step from round_step s where s.round_id = r.id and channel not in ('call', 'visit')
             order by step)::int[] as steps,
       array(select step from round_step s where s.round_id = r.id and channel in ('call', 'visit')
             order by step)::int[] as spoken,
       coalesce((select min(wait) from round_step s where s.round_id = r.id), interval '0') as shortest_wait,
       r.stagger <> '{}' and exists (
           select from round_slice s
           where s.round_id = r.id and s.opens_at <= business_now()
             and s.opens_on <> (business_now() at time zone 'Asia/Shanghai')::date
             and s.first_position > (select max(cursor_position) from round_step t where t.round_id = r.id)) as missed,
       business_now() as now
from round r join campaign c on c.id = r.campaign_id
where r.finished_at is null
  and (r.state in ('running', 'paused', 'cancelled')
       or r.state = 'scheduled' and c.state in ('approved', 'running') and r.ends_at <= business_now())
order by r.id

-- name: fallen_signal
-- Grows whenever a message fails anywhere in the round: a reason to look for fallers.
select coalesce(sum(n), 0)::int as failed from message_count where round_id = %(round_id)s and state = 4

-- name: change_state
-- Only from a state that allows it. Whoever lets a round go on that its canary has stopped, overrules it.
update round set state = %(state)s, pause_reason = '',
       canary_verdict = case when %(state)s = 'running' and canary_verdict = 'stopped' then 'overruled'
                             else canary_verdict end
where id = %(round_id)s and state = any(%(from)s) returning id

-- name: finish
-- Nothing of it can move by our own doing any more.
update round set state = case when state = 'cancelled' then state else 'finished' end, finished_at = business_now()
where id = %(round_id)s and finished_at is null

-- name: finish_campaigns
-- A campaign closes only when its last round has.
update campaign c set state = 'finished'
where c.state in ('approved', 'running') and not exists (
    select from round r where r.campaign_id = c.id and r.finished_at is null)
