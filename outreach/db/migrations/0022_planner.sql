-- The planner: slices of a round with their days, caps and a canary; rounds that follow a taxpayer's own date;
-- the working calendar; numbers for test sends.

alter table round
    add column stagger jsonb not null default '{}',
    add column canary_permille smallint not null default 0 check (canary_permille between 0 and 500),
    add column canary_hold interval not null default '30 minutes' check (canary_hold > interval '0'),
    add column canary_failed_permille smallint not null default 100 check (canary_failed_permille between 0 and 1000),
    add column canary_complaint_permille smallint not null default 1
        check (canary_complaint_permille between 0 and 1000),
    add column canary_opt_out_permille smallint not null default 20 check (canary_opt_out_permille between 0 and 1000),
    add column canary_position int,
    add column canary_from timestamptz,
    add column canary_sent_at timestamptz,
    add column canary_verdict text check (canary_verdict in ('passed', 'stopped', 'overruled')),
    add column pause_reason text not null default '',
    add column stuck_reason text not null default '',
    add column anchor_attribute text,
    add column anchor_days smallint check (anchor_days between -366 and 366),
    add column parent_id int references round on delete cascade,
    add column occurs_on date,
    add column leaves_out_earlier boolean not null default false,
    add constraint round_anchor check ((anchor_attribute is null) = (anchor_days is null));
create index on round (parent_id) where parent_id is not null;
comment on column round.stagger is 'axes, caps and days as campaigns/staggering.py reads them; {} for all at once';
comment on column round.canary_position is 'recipients up to here go first; null without a canary';
comment on column round.canary_from is 'machine time from which answers to the canary count';
comment on column round.canary_sent_at is 'business time at which the last message of the canary had left';
comment on column round.pause_reason is 'why the machine paused it; empty where a person did';
comment on column round.stuck_reason is 'why it could not be planned when it was due';
comment on column round.anchor_attribute is
    'a date of the taxpayer: this row is a rule, and each day on which it concerns somebody gets a round of its own';
comment on column round.anchor_days is 'days from that date to the message, negative for before';
comment on column round.parent_id is 'the round whose approval covers this occurrence';
comment on column round.leaves_out_earlier is 'whoever stood in the plan of the parent or of another occurrence is no audience';

-- Which days of a rule have been looked at: no day is evaluated twice.
create table round_day (
    round_id int not null references round on delete cascade,
    day date not null,
    members int not null,
    occurrence_id int references round on delete set null,
    primary key (round_id, day)
);

-- Positions run in the order in which slices open: what may be cut now is all up to one position.
create table round_slice (
    round_id int not null references round on delete cascade,
    ordinal int not null,
    label text not null,
    category smallint not null,
    tier smallint not null,
    wave smallint not null,
    org_id int references org_unit,
    opens_on date not null,
    opens_at timestamptz not null,
    first_position int not null,
    last_position int not null,
    persons int not null,
    households int not null,
    primary key (round_id, ordinal),
    check (last_position - first_position + 1 = persons and persons > 0)
);
create index round_slice_open on round_slice (round_id, opens_at, last_position);
comment on column round_slice.org_id is 'the unit whose hall carries the load, where loads are told by hall';
comment on column round_slice.opens_at is 'business time';

-- The last position that may be cut now: that of the canary until it has passed, of the slices that have
-- opened, or of all.
create function round_open_position(asked int) returns int language sql stable as $$
    select least(
        case when r.canary_verdict in ('passed', 'overruled') then null else r.canary_position end,
        coalesce(
            (select s.last_position from round_slice s where s.round_id = asked and s.opens_at <= business_now()
             order by s.opens_at desc, s.last_position desc limit 1),
            case when exists (select from round_slice s where s.round_id = asked) then 0 else 2147483647 end))
    from round r where r.id = asked
$$;

alter table campaign_review drop constraint campaign_review_what_check;
alter table campaign_review add constraint campaign_review_what_check
    check (what in ('campaign', 'extension', 're_evaluation'));

-- Days that differ from the published calendar, for a unit and all below it; hours that differ on that day.
create table calendar_day (
    org_id int not null references org_unit,
    day date not null,
    is_workday boolean not null,
    opens time,
    closes time,
    note text not null default '',
    set_by text not null,
    set_at timestamptz not null default now(),
    primary key (org_id, day),
    check ((opens is null) = (closes is null)),
    check (opens < closes),
    check (opens is null or is_workday)
);

-- Years of which staff have entered all holidays, because the library does not know them yet.
create table calendar_year (
    org_id int not null references org_unit,
    year smallint not null check (year between 2020 and 2100),
    set_by text not null,
    set_at timestamptz not null default now(),
    primary key (org_id, year)
);

-- Staff who look at a message before taxpayers do.
create table test_address (
    id int generated always as identity primary key,
    org_id int not null references org_unit,
    name text not null,
    kind text not null,
    value_enc bytea not null,
    bidx bytea not null,
    added_by text not null,
    added_at timestamptz not null default now(),
    unique (org_id, kind, bidx)
);
alter table direct_message alter column person_id drop not null;
