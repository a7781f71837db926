-- Label catalogue, attributes, and the sets (Roaring bitmaps) that hold what is true of whom.

create table label (
    code text primary key,
    name text not null,
    kind text not null check (kind in ('flag', 'value')),
    options jsonb not null default '{}',
    category text not null default '',
    source text not null default '',
    catalogue_version text not null default '',
    is_local boolean not null default false,
    description text not null default ''
);
comment on column label.options is 'for kind value: code of each value to its Chinese name';

create table attribute (
    code text primary key,
    name text not null,
    type text not null check (type in ('money', 'integer', 'percent', 'date')),
    unit text not null default '',
    source text not null default '',
    description text not null default ''
);

-- One chunk holds the ids [hi * 2^18, (hi + 1) * 2^18) of one set. A change touches one small chunk and its
-- version; a reader compares versions chunk by chunk, so no late commit can be overlooked.
create table set_chunk (
    set_key text collate "C" not null,
    hi int not null,
    version bigint not null,
    data bytea not null,
    primary key (set_key, hi)
);
create sequence set_version;

-- One row per set and change, with the differences only: where a fact came from and since when.
create table set_change (
    id bigint generated always as identity primary key,
    set_key text collate "C" not null,
    at timestamptz not null default now(),
    as_of date,
    source text not null,
    import_id int references import_file,
    added bytea,
    removed bytea
);
create index on set_change (set_key, id);

create table segment (
    id int generated always as identity primary key,
    name text not null,
    expression text not null,
    org_id int not null references org_unit,
    created_by text not null,
    created_at timestamptz not null default now(),
    unique (org_id, name)
);

-- What happened to a taxpayer (filed, paid, page stay …), as the tax systems report it.
create table event (
    id bigint generated always as identity primary key,
    event_key text not null unique,
    taxpayer_id int not null references taxpayer,
    type text not null,
    at timestamptz not null,
    source text not null,
    detail jsonb not null default '{}'
);
create index on event (taxpayer_id, at);
