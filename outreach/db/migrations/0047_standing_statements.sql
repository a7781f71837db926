-- Documents that follow their data: a standing order keeps a kind of document of a unit current. Whose records or verified
-- findings have changed is noted with the change itself, and becomes a run of its own (docs/statements.md).
create table statement_standing (
    id int generated always as identity primary key,
    kind text not null check (kind in ('yearly_bill', 'benefit_bill', 'gift_pack', 'checkup')),
    org_id int not null references org_unit,
    by text not null,
    since timestamptz not null default business_now(),
    ended_by text,
    ended_at timestamptz,
    check ((ended_at is null) = (ended_by is null))
);
create unique index on statement_standing (kind, org_id) where ended_at is null;

create table statement_stale (
    standing_id int not null references statement_standing,
    year smallint not null,
    taxpayer_id int not null references taxpayer,
    primary key (standing_id, year, taxpayer_id)
);
comment on table statement_stale is 'households whose data have changed since the last run of the standing order took them';

alter table statement_run
    add column standing_id int references statement_standing,
    add column standing_members bytea,
    add column announced_at timestamptz;
create index on statement_run (standing_id) where announced_at is null;
comment on column statement_run.standing_members is 'Roaring bitmap of the households of a standing order''s run, until those with a new version are announced';
comment on column statement_run.announced_at is 'when the events of its new versions were recorded';
