-- Pacing: what the tries of each gateway account came to, how its breaker and weight stand, why that changed, and
-- whose turn it is.

-- A worker counts in memory and appends one row a second for each account it spoke to: sending costs no
-- statement more. A second that is lost with a killed worker does no harm; what became of each message stands
-- in the ledger.
create table gateway_outcome (
    gateway_id smallint not null references gateway on delete cascade,
    at timestamptz not null default now(),
    tries int not null default 0,
    errors int not null default 0,
    throttled int not null default 0,
    refused text not null default ''
);
create index on gateway_outcome (at);
comment on column gateway_outcome.errors is 'tries that blame the gateway: outcome unknown, or a fault of the account';
comment on column gateway_outcome.throttled is 'tries that the gateway turned away because they came too fast';
comment on column gateway_outcome.refused is 'the fault with which the account could not be opened, and the provider''s code';

-- An account without a row stands closed, at its resting weight.
create table gateway_pace (
    gateway_id smallint primary key references gateway on delete cascade,
    breaker text not null default 'closed' check (breaker in ('closed', 'open', 'half_open')),
    since timestamptz not null default now(),
    pause double precision not null default 0,
    probed_at timestamptz,
    share smallint check (share between 0 and 100),
    errors_moved_at timestamptz,
    slow_moved_at timestamptz,
    moved_at timestamptz
);
comment on column gateway_pace.pause is 'seconds that the breaker stays open, doubled by every probe that fails';
comment on column gateway_pace.probed_at is 'when a sender last took the probe of a half-open breaker';
comment on column gateway_pace.share is 'points of 100 of its channel''s new batches; null: by the resting weight';

create table gateway_change (
    id bigint generated always as identity primary key,
    gateway_id smallint not null references gateway,
    at timestamptz not null default now(),
    what text not null check (what in ('opened', 'probing', 'closed', 'weight', 'moved')),
    reason text not null,
    detail jsonb not null default '{}'
);
create index on gateway_change (gateway_id, id);
create trigger gateway_change_append_only before update or delete on gateway_change
    for each row execute function refuse_change();
create trigger gateway_change_no_truncate before truncate on gateway_change
    for each statement execute function refuse_change();

-- When a scheduler last ticked: without one nothing is planned, cut or ended.
create table scheduler_tick (
    only_row boolean primary key default true check (only_row),
    at timestamptz not null
);

-- Campaigns of one lane and account take turns; one of twice the weight gets twice as many batches a turn.
alter table campaign add column weight smallint not null default 100 check (weight between 1 and 1000);
