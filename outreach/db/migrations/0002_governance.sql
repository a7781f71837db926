-- Accounts, sessions, API keys, audit chain.

create table account (
    id int generated always as identity primary key,
    login text not null unique check (login = lower(login)),
    display_name text not null,
    password_hash text not null,
    password_at timestamptz not null default now(),
    totp_secret_enc bytea,
    totp_confirmed_at timestamptz,
    totp_last_step bigint not null default 0,
    org_id int not null references org_unit,
    state text not null default 'active' check (state in ('active', 'locked', 'closed')),
    created_at timestamptz not null default now()
);
comment on column account.totp_last_step is 'the newest 30 s step whose code was used: a code works once';

create table account_role (
    account_id int not null references account on delete cascade,
    role text not null,
    primary key (account_id, role)
);

-- 三员分立 (GB/T 22239-2019 level 3): whoever holds one of the three powers holds nothing else. The account's
-- row is locked first, so that two grants at the same moment cannot pass each other.
create function check_separated_powers() returns trigger language plpgsql as $$
begin
    perform 1 from account where id = new.account_id for update;
    if exists (
        select from account_role
        where account_id = new.account_id and role <> new.role
          and (role in ('system_admin', 'security_admin', 'audit_admin')
               or new.role in ('system_admin', 'security_admin', 'audit_admin'))
    ) then
        raise exception 'separated powers: account % cannot also hold %', new.account_id, new.role
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger separated_powers before insert or update on account_role
    for each row execute function check_separated_powers();

create table session (
    token_hash bytea primary key,
    account_id int not null references account on delete cascade,
    csrf_token text not null,
    scope_org_id int not null references org_unit,
    second_factor boolean not null default false,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index on session (account_id);

-- One row per try, written before the password is checked and taken away by a success.
create table login_attempt (
    id bigint generated always as identity primary key,
    login_hash bytea not null,
    remote text not null,
    at timestamptz not null default now()
);
create index on login_attempt (login_hash, remote, at);
create index on login_attempt (remote, at);

create table api_key (
    id int generated always as identity primary key,
    prefix text not null unique,
    key_hash bytea not null,
    name text not null,
    org_id int not null references org_unit,
    permissions text[] not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    used_at timestamptz,
    created_by text not null,
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
create index on audit_event (at);
create index on audit_event (object, id);

create table audit_head (
    only_row boolean primary key default true check (only_row),
    id bigint not null,
    hash bytea not null
);
insert into audit_head (id, hash) values (0, '\x00');

-- Audit rows are kept at least 180 days (Cybersecurity Law art. 21(3)) and are never changed.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_append_only before update or delete on audit_event
    for each row execute function refuse_change();
create trigger audit_no_truncate before truncate on audit_event
    for each statement execute function refuse_change();
