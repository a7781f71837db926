-- name: rules_waiting
-- Rules that may send and for which something waits: asked several times a second, so each is one look at an index.
select r.id from round r join campaign c on c.id = r.campaign_id
where r.trigger is not null and r.state = 'scheduled' and c.state in ('approved', 'running')
  and r.starts_at <= business_now() and r.ends_at > business_now()
  and exists (select from triggered t where t.round_id = r.id and t.outcome is null)
order by r.id

-- name: lock_rule
-- One process at a time; whoever edits or signs the campaign goes first, and the next look comes soon.
select r.id, r.campaign_id, r.name, r.segment, c.segment as campaign_segment, c.done_segment, c.exempt_segment,
       c.dispute_segment, c.kind, c.org_id, c.holdout_permille, c.holdout_seed, c.quota_messages, c.quota_days,
       c.care_path, c.contact_roles, clock.now, (clock.now at time zone 'Asia/Shanghai')::date as day,
       extract(year from clock.now at time zone 'Asia/Shanghai')::int * 100
       + extract(month from clock.now at time zone 'Asia/Shanghai')::int as period
from round r join campaign c on c.id = r.campaign_id, (select business_now() as now) clock
where r.id = %(round_id)s and r.state = 'scheduled' and c.state in ('approved', 'running')
  and r.starts_at <= clock.now and r.ends_at > clock.now
for update of r, c skip locked

-- name: households_waiting
-- Of the events that `take_waiting` looks at.
select taxpayer_id from triggered
where round_id = %(round_id)s and outcome is null order by event_id limit %(limit)s

-- name: take_waiting
-- The oldest event of each household, and the first lap of the day that comes after all in which she or the person
-- who is told for her stands already; households of one person go together. A second event of a household waits for
-- the next look. What happened long ago helps nobody any more.
with waiting as (
    select event_id, taxpayer_id, at from triggered
    where round_id = %(round_id)s and outcome is null order by event_id limit %(limit)s
), firsts as (
    select distinct on (w.taxpayer_id) w.event_id, w.taxpayer_id,
           case when %(as_registered)s then c.person_id else s.person_id end as person_id, w.at
    from waiting w left join contact c on c.taxpayer_id = w.taxpayer_id
    left join unnest(%(households)s::int[], %(persons)s::int[]) as s (taxpayer_id, person_id)
        on s.taxpayer_id = w.taxpayer_id
    order by w.taxpayer_id, w.event_id
), days_laps as materialized (
    select id, lap from round where parent_id = %(round_id)s and occurs_on = %(day)s and lap is not null
)
select f.event_id, f.taxpayer_id, f.person_id, f.at < %(now)s::timestamptz - %(too_late)s::interval as is_late,
       1 + max(greatest(own.lap, hers.lap, 0)) over (partition by coalesce(f.person_id, -f.taxpayer_id)) as lap
from firsts f
left join lateral (select max(d.lap)::int as lap from days_laps d where exists (
    select from triggered t where t.occurrence_id = d.id and t.taxpayer_id = f.taxpayer_id)) own on true
left join lateral (select max(d.lap)::int as lap from days_laps d where exists (
    select from triggered t where t.occurrence_id = d.id and t.person_id = f.person_id)) hers on true
order by f.event_id

-- name: ladder
-- As it was signed.
select step, channel from round_step where round_id = %(round_id)s order by step

-- name: find_lap
-- Held, so that it does not end while it grows.
select id, period from round
where parent_id = %(rule_id)s and occurs_on = %(day)s and lap = %(lap)s for update

-- name: open_lap
-- It runs at once and lasts through the next day, so that what quiet hours hold back leaves when they end, and through
-- the waits of its ladder; never longer than the approved window. With its first round a campaign is under way.
with waits as (
    select coalesce(sum(wait), interval '0') as whole from round_step where round_id = %(rule_id)s
), opened as (
    insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, parent_id, occurs_on, lap, state,
                       started_at, period, audience, planned)
    select p.campaign_id, (select max(ordinal) + 1 from round where campaign_id = p.campaign_id), %(name)s, business_now(),
           least(p.ends_at, (%(day)s::date + 2)::timestamp at time zone 'Asia/Shanghai' + w.whole), p.segment, p.id,
           %(day)s, %(lap)s, 'running', business_now(), to_char(%(day)s::date, 'YYYYMM')::int, 0, 0
    from round p, waits w where p.id = %(rule_id)s
    returning id, period, campaign_id
), ladder as (
    insert into round_step (round_id, step, channel, template_id, version_id, wait)
    select o.id, s.step, s.channel, s.template_id, s.version_id, s.wait
    from opened o, round_step s where s.round_id = %(rule_id)s
), under_way as (
    update campaign c set state = 'running' from opened o where c.id = o.campaign_id and c.state = 'approved'
)
select id, period from opened

-- name: sets_of_lap
-- What it holds so far.
select kind, reason, data from round_set where round_id = %(round_id)s

-- name: grow_lap
-- In the transaction that has grown its sets.
update round set audience = audience + %(audience)s, planned = planned + %(planned)s where id = %(round_id)s

-- name: note_outcomes
-- Each event has one, and keeps it.
update triggered t set outcome = n.outcome, occurrence_id = case when n.outcome <> 'not_in_segment' then %(occurrence)s::int end,
       person_id = n.person_id
from unnest(%(events)s::bigint[], %(persons)s::int[], %(outcomes)s::text[]) as n (event_id, person_id, outcome)
where t.round_id = %(round_id)s and t.event_id = n.event_id and t.outcome is null

-- name: rule_is_stuck
-- Whoever asks why nothing comes of it is told.
update round set stuck_reason = %(reason)s where id = %(round_id)s and stuck_reason <> %(reason)s

-- name: rule_moves
-- What was in its way is gone.
update round set stuck_reason = '' where id = %(round_id)s and stuck_reason <> ''

-- name: uncut_steps
-- Rungs of laps that have recipients beyond their cursor, also those that a process left behind that died in between.
select s.round_id, s.step from round r join round_step s on s.round_id = r.id
where r.lap is not null and r.finished_at is null and r.state = 'running' and s.state <> 'closed'
  and s.channel not in ('call', 'visit')
  and exists (select from recipient p where p.period = r.period and p.round_id = r.id and p.first_step = s.step
              and p.position > s.cursor_position)
order by s.round_id, s.step

-- name: give_up
-- A rule that is over or was cancelled answers no more, and nobody waits longer for a signature than for an answer.
update triggered t set outcome = 'too_late' from round r
where r.id = t.round_id and r.trigger is not null and t.outcome is null
  and (r.finished_at is not null or r.state = 'cancelled' or r.ends_at <= business_now()
       or t.at < business_now() - %(too_late)s::interval)
