-- The delivery ledger. shard = batch_id % 8 stands in every key, so that a message, its batch and its
-- receipts stay together when a tenant outgrows one server.

create table gateway (
    id smallint generated always as identity primary key,
    name text not null unique,
    channel text not null check (channel in ('sms', 'rcs', 'wechat', 'email')),
    adapter text not null,
    config_enc bytea not null,
    secret text not null,
    rate double precision not null check (rate > 0),
    burst int not null check (burst > 0),
    window_size smallint not null default 200 check (window_size between 1 and 1000),
    quiet_seconds double precision not null default 900,
    receipt_deadline interval not null default '72 hours',
    weight smallint not null default 100 check (weight between 0 and 100),
    state text not null default 'active' check (state in ('active', 'closed'))
);
comment on column gateway.secret is 'path segment of the callback address';

create sequence batch_id as bigint start 1000;

create table batch (
    shard smallint not null,
    id bigint not null,
    period int not null,
    round_id int not null,
    step smallint not null,
    gateway_id smallint not null references gateway,
    lane smallint not null,
    n smallint not null check (n between 1 and 1000),
    watermark smallint not null default 0,
    settled smallint not null default 0,
    fence bigint not null default 0,
    owner text,
    lease_until timestamptz,
    opened_at timestamptz,
    next_at timestamptz not null default now(),
    state smallint not null default 0,
    primary key (shard, id),
    check (settled <= watermark and watermark <= n)
) with (fillfactor = 60);
comment on column batch.watermark is 'messages below this position may have been on the wire';
comment on column batch.settled is 'messages below this position have an outcome or are marked unknown';
comment on column batch.state is '0 open, 1 done, 2 cancelled, 3 paused';
create index batch_due on batch (gateway_id, lane, next_at, id) where state = 0;
create index on batch (round_id, step);

-- States: 0 planned, 1 unknown, 2 accepted, 3 delivered, 4 failed, 5 read; 6 withheld, 7 expired and
-- 8 cancelled leave from planned only. A message moves to a higher rank only; evidence that it arrived
-- outranks a report of failure, so order and repetition of reports do no harm (docs/delivery.md).
create function state_rank(state smallint) returns smallint language sql immutable parallel safe as $$
    select (array[0, 1, 2, 4, 3, 5, 9, 9, 9])[state + 1]::smallint
$$;

create table message (
    period int not null,
    shard smallint not null,
    id bigint not null,
    round_id int not null,
    step smallint not null,
    person_id int not null,
    org_id int not null,
    reach smallint not null,
    dest bigint not null,
    state smallint not null default 0,
    tries smallint not null default 0,
    parts smallint not null default 0,
    not_before timestamptz,
    tried_at timestamptz,
    at timestamptz not null,
    sent_at timestamptz,
    taxpayer_ids int[] not null,
    ref text,
    code text,
    primary key (period, shard, id),
    unique (period, person_id, round_id, step)
) partition by list (period);
create index message_resting on message (not_before) where not_before is not null;
comment on column message.at is 'business time of the last change of state';
comment on column message.sent_at is 'business time of the first try; null for what has never left';
comment on column message.tried_at is 'machine time of the first try, kept while the outcome is unknown';
comment on column message.not_before is 'machine time before which an unknown or deferred message rests';

-- Movements between states, appended with the change itself and folded by a tick: no hot row.
create table message_count (
    round_id int not null,
    step smallint not null,
    org_id int not null,
    state smallint not null,
    n int not null,
    households int not null
);
create index on message_count (round_id, step);

create sequence receipt_id as bigint;
create table receipt_inbox (
    period int not null,
    id bigint not null default nextval('receipt_id'),
    gateway_id smallint not null,
    message_id bigint,
    whole_request boolean not null default false,
    dest bigint,
    ref text,
    state smallint not null,
    code text,
    fallback boolean not null default false,
    at timestamptz,
    arrived_at timestamptz not null default now(),
    arrived_in xid8 not null default pg_current_xact_id(),
    attempts smallint not null default 0
) partition by list (period);
create index on receipt_inbox (arrived_in, id);

-- Where the merge stands. It reads only below the oldest running transaction, so a COPY that commits late
-- is never skipped.
create table receipt_cursor (
    only_row boolean primary key default true check (only_row),
    arrived_in xid8 not null,
    id bigint not null
);
insert into receipt_cursor (arrived_in, id) values ('0', 0);

-- Receipts whose message cannot be told yet: tried again with growing pauses, for 72 hours.
create table receipt_orphan (
    id bigint generated always as identity primary key,
    gateway_id smallint not null,
    message_id bigint,
    whole_request boolean not null,
    dest bigint,
    ref text,
    state smallint not null,
    code text,
    fallback boolean not null,
    at timestamptz,
    arrived_at timestamptz not null,
    attempts smallint not null default 0,
    not_before timestamptz not null
);
create index on receipt_orphan (not_before);

create table inbound (
    id bigint generated always as identity primary key,
    gateway_id smallint not null,
    provider_id text not null default '',
    person_id int,
    message_id bigint,
    kind text not null,
    dest bigint,
    text_enc bytea,
    action text not null default '',
    at timestamptz not null,
    arrived_at timestamptz not null default now()
);
create unique index inbound_once on inbound (gateway_id, provider_id) where provider_id <> '';
create index on inbound (person_id, at);

-- Process heartbeats: who works, and what it does.
create table worker (
    name text primary key,
    kind text not null,
    host text not null,
    pid int not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    detail jsonb not null default '{}'
);

-- One message to one person outside any round: a one-time code, a test send. Ids start at 2^60, so that a
-- receipt's key tells the two apart.
create sequence direct_id as bigint start 1152921504606846976;
create table direct_message (
    id bigint primary key default nextval('direct_id'),
    person_id int not null,
    gateway_id smallint not null references gateway,
    purpose text not null,
    state smallint not null default 1,
    ref text,
    code text,
    created_at timestamptz not null default now()
);
comment on column direct_message.state is 'as message.state; unknown until the gateway has answered';
