-- Label catalogue, attributes, and the sets (Roaring bitmaps) that hold what is true of whom.

create table label (
    code text primary key,
    name text not null unique deferrable initially deferred,
    kind text not null check (kind in ('flag', 'value')),
    options jsonb not null default '{}',
    category text not null default '',
    source text not null default '',
    catalogue_version text not null default '',
    is_local boolean not null default false,
    withdrawn boolean not null default false,
    description text not null default ''
);
comment on column label.options is 'for kind value: code of each value to its Chinese name';
comment on column label.withdrawn is 'no longer in the latest catalogue: saved expressions still read it, builders do not offer it';

create table attribute (
    code text primary key,
    name text not null unique deferrable initially deferred,
    type text not null check (type in ('money', 'integer', 'percent', 'date')),
    unit text not null default '',
    category text not null default '',
    source text not null default '',
    catalogue_version text not null default '',
    is_local boolean not null default false,
    withdrawn boolean not null default false,
    description text not null default ''
);

-- One chunk holds the ids [hi * 2^bits, (hi + 1) * 2^bits) of one set; bits is 18, for org:* 22
-- (outreach/labels/keys.py). A change touches one small chunk and its version; a reader compares versions
-- chunk by chunk, so no late commit can be overlooked. Chunks become empty but are never deleted.
-- The data stands out of line and uncompressed (Roaring is compressed already), so that versions lie dense.
create table set_chunk (
    set_key text collate "C" not null,
    hi int not null,
    version bigint not null,
    data bytea not null,
    primary key (set_key, hi)
) with (fillfactor = 80, toast_tuple_target = 128, autovacuum_vacuum_scale_factor = 0.05);
alter table set_chunk alter column data set storage external;
create sequence set_version;

-- One row per set and change, with the differences only: where a fact came from and since when.
-- Attributes are logged once, under attr:<code>, not per bit slice. low and high bound the ids touched.
create table set_change (
    id bigint generated always as identity primary key,
    set_key text collate "C" not null,
    at timestamptz not null default business_now(),
    as_of date,
    source text not null,
    import_id int references import_file,
    low int not null,
    high int not null,
    added bytea,
    removed bytea
);
create index on set_change (set_key, id);
create index on set_change (import_id) where import_id is not null;

create table segment (
    id int generated always as identity primary key,
    name text not null,
    expression text not null,
    org_id int not null references org_unit,
    created_by text not null,
    created_at timestamptz not null default now(),
    unique (org_id, name)
);
create index on segment (name);

-- What happened to a taxpayer (filed, paid, page stay …), as the tax systems report it.
create table event (
    id bigint generated always as identity primary key,
    event_key text not null,
    taxpayer_id int not null references taxpayer,
    type text not null,
    at timestamptz not null,
    source text not null,
    detail jsonb not null default '{}',
    unique (source, event_key)
);
create index on event (taxpayer_id, at);
