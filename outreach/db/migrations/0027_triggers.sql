-- Rounds that answer what happens: an event over the API becomes one message (docs/decisions/0014-triggers.md).

alter table round
    add column trigger jsonb,
    add column lap smallint check (lap > 0),
    add constraint round_one_rule check (trigger is null or anchor_attribute is null),
    add constraint round_lap check (lap is null or parent_id is not null and occurs_on is not null);
create unique index round_lap_once on round (parent_id, occurs_on, lap) where lap is not null;
create index round_trigger on round ((trigger ->> 'event')) where trigger is not null;
create index round_laps on round (id) where lap is not null and finished_at is null;
comment on column round.trigger is
    'what it waits for, as campaigns/trigger_rules.py reads it: this row is a rule, and its messages stand in laps';
comment on column round.lap is 'the n-th round of a day of a trigger: whoever has had her message today stands in a later one';

-- Whose turn it was: one row for each session, household or event of a rule. Two that come at once meet here.
create table trigger_turn (
    round_id int not null references round on delete cascade,
    turn_key text not null,
    at timestamptz not null,
    primary key (round_id, turn_key)
);
comment on column trigger_turn.at is 'when the event that took the turn happened';

-- Every event that meets a rule's condition, and what came of it.
create table triggered (
    round_id int not null references round on delete cascade,
    event_id bigint not null references event on delete cascade,
    taxpayer_id int not null,
    at timestamptz not null,
    noted_at timestamptz not null default business_now(),
    outcome text,
    occurrence_id int references round on delete set null,
    person_id int,
    primary key (round_id, event_id)
);
create index triggered_waiting on triggered (round_id, event_id) where outcome is null;
create index on triggered (round_id, noted_at);
create index on triggered (occurrence_id, taxpayer_id) where occurrence_id is not null;
create index on triggered (occurrence_id, person_id) where occurrence_id is not null;
comment on column triggered.outcome is
    'null while it waits; planned, the code of an exclusion, repeated, not_in_segment, too_late or too_often';
comment on column triggered.person_id is 'who is told for the household, as it was judged';

-- Whether an event of the right type meets the condition of a rule. A stay has to be strictly longer than its limit.
create function trigger_holds(rule jsonb, detail jsonb) returns boolean language sql immutable as $$
    select case rule ->> 'event'
        when 'page_stay' then coalesce((detail ->> 'seconds')::numeric > (rule ->> 'seconds')::numeric, false)
                              and rule ->> 'page' in ('', detail ->> 'page')
        when 'credit_changed' then coalesce(strpos('ABMCD', detail ->> 'after') > strpos('ABMCD', detail ->> 'before'),
                                            false)
        else true end
$$;
