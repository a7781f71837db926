-- name: keep_events
-- Repeated keys change nothing. Only taxpayers within the scope of whoever reports.
with given as (
    select * from unnest(%(keys)s::text[], %(taxpayers)s::int[], %(types)s::text[], %(ats)s::timestamptz[],
                         %(details)s::jsonb[]) as g (event_key, taxpayer_id, type, at, detail)
)
insert into event (event_key, taxpayer_id, type, at, detail, source)
select g.event_key, g.taxpayer_id, g.type, g.at, g.detail, %(source)s
from given g join taxpayer t on t.id = g.taxpayer_id join org_unit o on o.id = t.org_id, org_unit scope
where scope.id = %(scope)s and o.path like scope.path || '%%'
on conflict (source, event_key) do nothing
returning id, taxpayer_id, type

-- name: history
-- Everything that gave or took a contested label, oldest first.
select taxpayer_id, type from event
where taxpayer_id = any(%(taxpayers)s) and type = any(%(types)s) order by at, id

-- name: note_triggered
-- Every signed rule whose condition a new event meets, while its window is open; also one whose signature no longer
-- fits and is asked for again, where the event waits for it. With a campaign: its rules alone, which have just been drafted
-- anew. The first one of a session, a household or an event takes the turn (two that come at once meet at its key); all
-- others are repeated.
with hits as (
    select r.id as round_id, e.id as event_id, e.taxpayer_id, e.at,
           case r.trigger ->> 'once' when 'session' then 'session:' || e.taxpayer_id || ':' || (e.detail ->> 'session')
                                     when 'taxpayer' then 'taxpayer:' || e.taxpayer_id
                                     else 'event:' || e.id end as turn_key
    from event e join taxpayer t on t.id = e.taxpayer_id join org_unit o on o.id = t.org_id
    join round r on r.trigger ->> 'event' = e.type
    join campaign c on c.id = r.campaign_id join org_unit u on u.id = c.org_id
    where e.id = any(%(events)s::bigint[]) and r.trigger is not null and r.state = 'scheduled'
      and case when %(campaign_id)s::int is not null then c.id = %(campaign_id)s
               else c.state in ('approved', 'running', 'paused') or c.state = 'in_review' and c.approved_hash is not null
          end
      and e.at >= r.starts_at and e.at < r.ends_at
      and o.path like u.path || '%%' and trigger_holds(r.trigger, e.detail)
), ranked as (
    select *, row_number() over (partition by round_id, turn_key order by at, event_id) as place from hits
), turns as (
    insert into trigger_turn as held (round_id, turn_key, at)
    select round_id, turn_key, at from ranked where place = 1 order by round_id, turn_key
    on conflict (round_id, turn_key) do update set at = excluded.at
    where excluded.at >= held.at + (
        select nullif((r.trigger ->> 'days')::int, 0) * interval '1 day' from round r where r.id = excluded.round_id)
    returning round_id, turn_key
)
insert into triggered (round_id, event_id, taxpayer_id, at, outcome)
select round_id, event_id, taxpayer_id, at, case when t.turn_key is null or place > 1 then 'repeated' end
from ranked left join turns t using (round_id, turn_key)
returning event_id

-- name: hold_rules
-- Whoever notes an event for one of them now goes first, or finds it gone and is told so.
select id from round where campaign_id = %(campaign_id)s and trigger is not null order by id for update

-- name: waiting_events
-- Of all rules of a campaign.
select distinct t.event_id from triggered t join round r on r.id = t.round_id
where r.campaign_id = %(campaign_id)s and t.outcome is null
