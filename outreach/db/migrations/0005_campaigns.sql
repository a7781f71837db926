-- Templates, campaigns, rounds, steps, frozen audiences, recipients.

create table template (
    id int generated always as identity primary key,
    code text not null,
    name text not null,
    channel text not null check (channel in ('sms', 'rcs', 'wechat', 'email')),
    language text not null default 'zh' check (language in ('zh', 'mn', 'en')),
    org_id int not null references org_unit,
    unique (org_id, code, channel, language)
);

create table template_version (
    id int generated always as identity primary key,
    template_id int not null references template,
    version int not null,
    content jsonb not null,
    variables text[] not null,
    content_hash bytea not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    unique (template_id, version)
);
comment on column template_version.content is
    'sms {text}; rcs {text, title, body, image_url, actions, chips}; wechat {fields, url}; email {subject, html, text}';

-- The code under which a version is filed with a provider that takes no free text.
create table template_filing (
    version_id int not null references template_version,
    gateway_id smallint not null,
    provider_code text not null,
    primary key (version_id, gateway_id)
);

create table campaign (
    id int generated always as identity primary key,
    code text not null unique,
    name text not null,
    purpose text not null,
    kind text not null,
    legal_basis text not null,
    org_id int not null references org_unit,
    state text not null default 'draft'
        check (state in ('draft', 'approved', 'running', 'paused', 'finished', 'cancelled')),
    segment text not null,
    done_segment text not null default 'nobody',
    exempt_segment text not null default 'nobody',
    dispute_segment text not null default 'nobody',
    holdout_permille smallint not null default 0 check (holdout_permille between 0 and 500),
    holdout_seed int not null default 0,
    variables jsonb not null default '{}',
    quiet_from time,
    quiet_to time,
    quota_messages smallint,
    quota_days smallint,
    created_by text not null,
    approved_by text,
    approved_hash bytea,
    created_at timestamptz not null default now(),
    check (approved_by is null or approved_by <> created_by)
);

create table round (
    id int generated always as identity primary key,
    campaign_id int not null references campaign,
    ordinal smallint not null,
    name text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    segment text not null,
    state text not null default 'scheduled'
        check (state in ('scheduled', 'planning', 'running', 'paused', 'finished', 'cancelled')),
    period int,
    started_at timestamptz,
    finished_at timestamptz,
    audience int,
    planned int,
    unique (campaign_id, ordinal),
    check (ends_at > starts_at)
);

create table round_step (
    round_id int not null references round on delete cascade,
    step smallint not null,
    channel text not null check (channel in ('rcs', 'sms', 'wechat', 'email')),
    template_id int not null references template,
    version_id int references template_version,
    wait interval not null default '2 days',
    code text not null unique default upper(substr(md5(random()::text), 1, 6)),
    cursor_position int not null default 0,
    state text not null default 'waiting' check (state in ('waiting', 'open', 'closed')),
    primary key (round_id, step)
);
comment on column round_step.code is 'what a taxpayer types to see that a message is genuine';
comment on column round_step.wait is 'business time without a delivery after which the next rung is tried';

-- The frozen audience: the whole, what was planned, and each exclusion in order.
create table round_set (
    round_id int not null references round on delete cascade,
    ordinal smallint not null,
    kind text not null check (kind in ('audience', 'exclusion', 'planned')),
    reason text not null default '',
    size int not null,
    data bytea not null,
    expression text not null default '',
    versions jsonb not null default '{}',
    primary key (round_id, ordinal)
);

-- Whom a round tells: one row per person with the households that the message names. Positions run in the
-- order of the organisation, so that a batch touches few org units and its counters few rows.
create table recipient (
    period int not null,
    round_id int not null,
    position int not null,
    person_id int not null,
    taxpayer_ids int[] not null,
    org_id int not null,
    reach smallint not null check (reach > 0),
    first_step smallint not null,
    primary key (period, round_id, first_step, position)
) partition by list (period);
comment on column recipient.reach is 'bit n is set if step n of the ladder can reach the person';
