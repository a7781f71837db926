-- How often the campaigns of all bureaus together may name a household, as a unit has said for itself and all below it.

create table contact_quota (
    org_id int primary key references org_unit,
    messages smallint not null check (messages between 1 and 100),
    days smallint not null check (days between 1 and 56),
    set_by text not null,
    set_at timestamptz not null default now()
);
comment on column contact_quota.days is 'no more than the months that planning looks back over always hold';
