-- Service: what taxpayers say of what they got.

create table rating (
    id bigint generated always as identity primary key,
    taxpayer_id int not null references taxpayer,
    statement_id bigint not null,
    stars smallint not null check (stars between 1 and 5),
    at timestamptz not null default now(),
    unique (taxpayer_id, statement_id)
);
comment on column rating.stars is '5 very satisfied to 1 very dissatisfied; below 3 opens a follow-up (好差评)';
