-- Answers: what a taxpayer does in return: she confirms or declines, rates, complains, asks, fills in a survey.

-- What a campaign of kind `confirmation` asks, word for word. A text that is published never changes: a new
-- version takes its place, and every answer names the version that it answers.
create table confirmation_matter (
    id int generated always as identity primary key,
    campaign_id int not null references campaign,
    version smallint not null,
    title text not null,
    body text not null,
    confirm_label text not null default '',
    decline_label text not null default '',
    closes_at timestamptz,
    published_by text not null,
    published_at timestamptz not null default business_now(),
    unique (campaign_id, version)
);
comment on column confirmation_matter.confirm_label is 'flag label that whoever confirms gets; empty: none';
create trigger matter_append_only before update or delete on confirmation_matter
    for each row execute function refuse_change();

-- Confirmations are evidence: append-only, each with its sealed record, whose SHA-256 stands in the audit chain.
create sequence confirmation_id as bigint;
create table confirmation (
    id bigint primary key,
    campaign_id int not null references campaign,
    matter_id int not null references confirmation_matter,
    taxpayer_id int not null references taxpayer,
    person_id int,
    verdict text not null check (verdict in ('confirmed', 'declined')),
    channel text not null,
    round_id int,
    message_id bigint,
    inbound_id bigint,
    at timestamptz not null,
    supersedes bigint unique references confirmation,
    record_enc bytea not null,
    digest bytea not null check (octet_length(digest) = 32),
    audit_id bigint not null,
    unique (inbound_id, taxpayer_id)
);
create unique index confirmation_first on confirmation (campaign_id, taxpayer_id) where supersedes is null;
create index on confirmation (campaign_id, taxpayer_id, id);
comment on column confirmation.supersedes is 'the answer before it, which stays: the last one counts';
create trigger confirmation_append_only before update or delete on confirmation
    for each row execute function refuse_change();
create trigger confirmation_no_truncate before truncate on confirmation
    for each statement execute function refuse_change();

-- Halls, windows and persons with a code to scan (不满意，请扫我). The token is printed for everybody.
create table service_place (
    id int generated always as identity primary key,
    org_id int not null references org_unit,
    kind text not null check (kind in ('hall', 'window', 'person')),
    name text not null,
    token text not null unique,
    closed_at timestamptz,
    created_by text not null,
    created_at timestamptz not null default now()
);
create index on service_place (org_id);

-- Ratings now also of rounds and of places. On the spot one visit is one rating, online one matter is one.
alter table rating
    alter column taxpayer_id drop not null,
    alter column statement_id drop not null,
    add column round_id int references round,
    add column place_id int references service_place,
    add column reasons text[] not null default '{}',
    add check (num_nonnulls(statement_id, round_id, place_id) = 1),
    add unique (taxpayer_id, round_id);
create index on rating (place_id) where place_id is not null;
create index on rating (round_id) where round_id is not null;
comment on column rating.reasons is 'why it is bad: codes of outreach.service.ratings';

-- One intake for everything that wants an answer.
create sequence ticket_id as bigint;
create table ticket (
    id bigint primary key,
    number text not null unique,
    source text not null check (source in ('question', 'reply', 'complaint', 'bad_rating', 'hotline')),
    channel text not null,
    org_id int not null references org_unit,
    home_org_id int not null references org_unit,
    taxpayer_id int references taxpayer,
    person_id int,
    place_id int references service_place,
    inbound_id bigint unique,
    rating_id bigint unique references rating,
    external_ref text,
    text_enc bytea not null,
    contact_enc bytea,
    state text not null default 'open' check (state in ('open', 'in_hand', 'answered', 'closed')),
    handler text,
    opened_at timestamptz not null default business_now(),
    due_on date not null,
    answered_at timestamptz,
    closed_at timestamptz,
    unique (source, external_ref),
    check (state <> 'closed' or answered_at is not null)
);
comment on column ticket.org_id is 'who has to act now; home_org_id: where it belongs and is always seen';
comment on column ticket.due_on is 'last day of the clock of its source, in working days';
create index on ticket (org_id, state, due_on);
create index on ticket (home_org_id);
create index on ticket (taxpayer_id) where taxpayer_id is not null;
create index on ticket (person_id, id) where person_id is not null;
create index ticket_waiting on ticket (due_on, id) where state in ('open', 'in_hand');

create sequence ticket_step_id as bigint;
create table ticket_step (
    id bigint primary key,
    ticket_id bigint not null references ticket,
    kind text not null check (kind in ('opened', 'taken', 'noted', 'moved', 'answered', 'called', 'closed', 'reopened')),
    by text not null,
    text_enc bytea,
    org_id int references org_unit,
    outcome text not null default '' check (outcome in ('', 'satisfied', 'unsatisfied', 'unreached')),
    at timestamptz not null default business_now()
);
create index on ticket_step (ticket_id, id);
comment on column ticket_step.outcome is 'of a call back: whether she is satisfied, or was not reached';
create trigger ticket_step_append_only before update or delete on ticket_step
    for each row execute function refuse_change();

-- Up to where replies have been taken in. It stays behind what may still be committing.
create table intake_mark (
    only_row boolean primary key default true check (only_row),
    inbound_id bigint not null
);
insert into intake_mark (inbound_id) select coalesce(max(id), 0) from inbound;

create table intake_done (
    inbound_id bigint primary key
);
comment on table intake_done is 'replies above the mark that have been taken in';

-- What was posted without log-in, by network, so that one visitor cannot flood a desk. Kept for a day.
create table public_post (
    network cidr not null,
    at timestamptz not null default now()
);
create index on public_post (network, at);

-- Surveys: a draft that staff change, versions that nobody changes, answers that name their version.
create table survey (
    id int generated always as identity primary key,
    org_id int not null references org_unit,
    campaign_id int references campaign,
    content jsonb not null,
    state text not null default 'draft' check (state in ('draft', 'open', 'closed')),
    mapping jsonb not null default '[]',
    created_by text not null,
    changed_at timestamptz not null default business_now()
);
create index on survey (org_id);
comment on column survey.campaign_id is 'asked of whom a round of this campaign tells; null: of all households of the unit';
comment on column survey.mapping is '[{question, option, label}]: whoever chose the option gets the flag label';

create table survey_version (
    id int generated always as identity primary key,
    survey_id int not null references survey,
    version smallint not null,
    content jsonb not null,
    content_hash bytea not null,
    published_by text not null,
    published_at timestamptz not null default business_now(),
    unique (survey_id, version)
);
create trigger survey_version_append_only before update or delete on survey_version
    for each row execute function refuse_change();

create sequence survey_answer_id as bigint;
create table survey_answer (
    id bigint primary key,
    survey_id int not null references survey,
    version_id int not null references survey_version,
    taxpayer_id int not null references taxpayer,
    person_id int,
    channel text not null,
    entered_by text not null default '',
    choices jsonb not null,
    texts_enc bytea,
    at timestamptz not null default business_now(),
    supersedes bigint unique references survey_answer
);
create unique index survey_answer_first on survey_answer (survey_id, taxpayer_id) where supersedes is null;
create index on survey_answer (survey_id, taxpayer_id, id);
comment on column survey_answer.choices is 'question to option codes or number; free texts stand sealed in texts_enc';
comment on column survey_answer.entered_by is 'who typed in an answer on paper; empty: she herself';
