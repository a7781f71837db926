-- What a scan of the benefits found (应享未享, 违规享受, near a cliff), who has verified it, and the base register of
-- each policy (底册台账). Everything is keyed by the household, so that a table may be spread by it.

create table scan_run (
    id int generated always as identity primary key,
    year smallint not null,
    month int not null,
    scope_org_id int not null references org_unit,
    by text not null,
    catalogue_version text not null,
    households int not null default 0,
    enjoyed int not null default 0,
    found int not null default 0,
    kept int not null default 0,
    changed int not null default 0,
    closed int not null default 0,
    refused int not null default 0,
    started_at timestamptz not null default business_now(),
    finished_at timestamptz
);
comment on column scan_run.month is 'yyyymm whose rules tell who is entitled where only labels speak';
comment on column scan_run.refused is 'records whose rule was not in force or whose inputs did not suffice: no finding is made of them';

create sequence finding_id as bigint;

-- A version of a finding. Facts that change make a new one, unverified; the old one is closed and names why.
create table finding (
    id bigint primary key,
    taxpayer_id int not null references taxpayer,
    benefit_code text not null,
    direction text not null check (direction in ('unclaimed', 'wrong', 'cliff')),
    year smallint not null,
    version smallint not null check (version >= 1),
    supersedes bigint references finding,
    is_current boolean not null default true,
    run_id int not null references scan_run,
    evidence_enc bytea not null,
    facts_tag bytea not null,
    state text not null default 'found' check (state in ('found', 'confirmed', 'rejected', 'closed')),
    reason text not null default '',
    verified_by text,
    verified_at timestamptz,
    found_at timestamptz not null default business_now(),
    closed_at timestamptz,
    unique (taxpayer_id, benefit_code, direction, year, version),
    check ((version = 1) = (supersedes is null)),
    check (state not in ('confirmed', 'rejected') or (verified_by <> '' and verified_at is not null)),
    check (state <> 'rejected' or reason <> ''),
    check ((state = 'closed') = (closed_at is not null)),
    check (is_current or state = 'closed')
);
create unique index finding_current on finding (taxpayer_id, year, benefit_code, direction) where is_current;
create index finding_by_policy on finding (year, benefit_code, direction, state, id) include (taxpayer_id) where is_current;
create index on finding (supersedes) where supersedes is not null;
comment on column finding.evidence_enc is 'canonical JSON with amounts and formulas, sealed with the row bound in';
comment on column finding.facts_tag is 'keyed tag of the evidence: equal means nothing has changed, and a verification stands';
comment on column finding.reason is 'why it was rejected or closed';

-- The words of the audience language for confirmed findings. They stand beside the label catalogue and not in it, so
-- that no import, survey or event can make anybody a member: only a verification does.
create table finding_term (
    code text primary key,
    name text not null unique,
    description text not null
);

-- One household of a policy: entitled = enjoyed + cannot + unwilling + unreachable + open, because each has one state.
create table register_row (
    benefit_code text not null,
    year smallint not null,
    taxpayer_id int not null references taxpayer,
    claimed boolean not null,
    finding_id bigint references finding,
    reason text check (reason in ('cannot', 'unwilling', 'unreachable')),
    reason_by text,
    reason_at timestamptz,
    reason_source text check (reason_source in ('staff', 'call', 'visit')),
    state text not null generated always as (
        case when finding_id is null then 'enjoyed' else coalesce(reason, 'open') end) stored,
    changed_at timestamptz not null default business_now(),
    primary key (benefit_code, year, taxpayer_id),
    check (claimed or finding_id is not null),
    check ((reason is null) = (reason_by is null) and (reason is null) = (reason_at is null)
        and (reason is null) = (reason_source is null))
);
create index on register_row (taxpayer_id, year);
create index on register_row (finding_id) where finding_id is not null;
comment on column register_row.claimed is 'records say that she enjoys it, in all or some months';
comment on column register_row.finding_id is 'the confirmed finding that says what she has not claimed; null: she has it all';
comment on column register_row.reason is 'kept when she enjoys it after all: what was said before';

alter table label add constraint label_is_no_finding check (not starts_with(code, 'finding.'));
