-- Accounts, sessions, API keys, audit chain.

create table account (
    id int generated always as identity primary key,
    login text not null unique,
    display_name text not null,
    password_hash text not null,
    totp_secret_enc bytea,
    org_id int not null references org_unit,
    state text not null default 'active' check (state in ('active', 'locked', 'closed')),
    created_at timestamptz not null default now()
);

create table account_role (
    account_id int not null references account on delete cascade,
    role text not null,
    primary key (account_id, role)
);

create table session (
    token_hash bytea primary key,
    account_id int not null references account on delete cascade,
    csrf_token text not null,
    scope_org_id int not null references org_unit,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null
);

create table login_failure (
    login text not null,
    remote text not null,
    at timestamptz not null default now()
);
create index on login_failure (login, at);

create table api_key (
    id int generated always as identity primary key,
    prefix text not null unique,
    key_hash bytea not null,
    name text not null,
    org_id int not null references org_unit,
    permissions text[] not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    created_by int references account,
    created_at timestamptz not null default now()
);

create table audit_event (
    id bigint primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    object text not null,
    detail jsonb not null default '{}',
    hash bytea not null
);
comment on column audit_event.hash is 'SHA-256 over the previous hash and this row, in order of id';
create table audit_head (
    only_row boolean primary key default true check (only_row),
    id bigint not null,
    hash bytea not null
);
insert into audit_head (id, hash) values (0, '\x00');
