-- Recipes: campaigns without a year and without a bureau, published by a unit for those below it.

alter table campaign add column drafted jsonb;
comment on column campaign.drafted is 'the draft as it was entered last: what is published as a recipe';

create table recipe (
    id int generated always as identity primary key,
    org_id int not null references org_unit,
    code text not null check (code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$'),
    version int not null,
    name text not null,
    summary text not null,
    year_label text not null,
    body jsonb not null,
    campaign_id int references campaign,
    published_by text not null,
    published_at timestamptz not null default business_now(),
    withdrawn_at timestamptz,
    unique (org_id, code, version)
);
