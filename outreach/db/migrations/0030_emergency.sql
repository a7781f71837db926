-- What one person has started without a second signature, and what another said of it afterwards. Times are
-- business time.
create table emergency_start (
    id int generated always as identity primary key,
    campaign_id int not null references campaign on delete cascade,
    started_by text not null,
    started_at timestamptz not null default business_now(),
    made_at timestamptz not null default now(),
    reason text not null check (reason <> ''),
    hash bytea not null,
    covered jsonb not null,
    due_at timestamptz not null,
    overdue_at timestamptz,
    decision text check (decision in ('confirmed', 'objected', 'withdrawn')),
    decided_by text,
    decided_at timestamptz,
    note text not null default '',
    check ((decision is null) = (decided_by is null)),
    check (decision in ('confirmed', 'objected') is not true or decided_by <> started_by),
    check (decision is distinct from 'objected' or note <> '')
);
create unique index emergency_start_open on emergency_start (campaign_id) where decision is null;
create index emergency_start_waiting on emergency_start (started_by, due_at) where decision is null;
comment on column emergency_start.hash is 'SHA-256 of the covered text (campaigns/approval_text.py), as in an approval';
comment on column emergency_start.made_at is 'by the machine''s clock, as in campaign_review';
comment on column emergency_start.overdue_at is 'when the audit chain was told that nobody has reviewed it in time';
