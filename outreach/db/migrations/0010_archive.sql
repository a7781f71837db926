-- Months whose messages lie in Parquet files instead of tables, and what is kept here of their rounds.

create table period_archive (
    period int primary key,
    state text not null check (state in ('archived', 'restored')),
    folder text not null,
    manifest_hash bytea not null check (octet_length(manifest_hash) = 32),
    messages bigint not null,
    by text not null,
    archived_at timestamptz not null default now(),
    restored_at timestamptz
);
comment on column period_archive.manifest_hash is 'SHA-256 of manifest.json, which names every file with its own';
comment on column period_archive.state is 'restored: the rows are back for an auditor; the files stay';

-- What reports and the audit need of a round whose rows are away; message_count, round_set and batch stay.
create table round_archive (
    round_id int primary key references round,
    period int not null references period_archive,
    recipients int not null,
    households int not null,
    sums jsonb not null,
    reached bytea not null
);
comment on column round_archive.households is 'households of the recipients: what was planned';
comment on column round_archive.sums is 'array of {step, state, n, households}, counted from the rows when they left';
comment on column round_archive.reached is 'Roaring bitmap of the households with a delivered or read message';
