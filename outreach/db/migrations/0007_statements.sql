-- Statements: what the tax systems report about households, the frozen documents made from it, and who
-- may look at them.
--
-- Files that `outreach.statements.records.load_records` reads (CSV, UTF-8 with or without BOM, or GBK; comma;
-- first line holds the headers; order of columns free; amounts in yuan with at most two decimals):
--
--   tax_records.csv      纳税人识别号, 所属期, 税种, 申报税额, 已缴税额, 已退税额, 滞纳金
--   benefit_records.csv  纳税人识别号, 所属期, 优惠代码, 享受状态 [已享受|应享未享, default 已享受],
--                        序号 [optional, default 1: several items of one benefit in one month],
--                        then any of the input columns that the benefit needs, blank cells are ignored:
--     销售额 含税销售额 计税期 [月|季|次, default 月] 服务类别 [生产性|生活性] 行业类别 [制造业等四行业|房地产|其他]
--     可抵扣进项税额 抵减前应纳税额 增量留抵税额 存量留抵税额 进项构成比例 利息收入 适用税率 应纳税所得额
--     从业人数 资产总额 研发费用 处理方式 [费用化|资本化] 设备单价 残疾职工工资 应缴税额 其他减免税额
--     在职职工人数 安排残疾人比例 不含税价 企业规模 [小微|中型] 是否再延期 [是|否] 核对名单 [是|否]
--     招用人数 月数 子女数 分摊比例 继续教育类型 [学历|证书] 自付医药费 住房租金标准 [1500|1100|800]
--     是否独生子女 [是|否] 奖金 其他应纳税所得额 个人养老金缴费 边际税率 年综合所得 应补税额 是否依法预扣 [是|否]
--     原住房售价 已缴个税 新住房价款
--   annual_records.csv   纳税人识别号, 年度, 纳税信用级别 [A|B|M|C|D or blank], 综合所得收入额, 已预缴税额, 应纳税额
--
-- 所属期 is yyyymm (202503) or yyyy-mm; a yearly benefit stands under December of its year. For a benefit that
-- is applied for (申请) it is the month of the application. Ratios are written 0.98 or 98%.
-- Which inputs each benefit code needs, with examples: docs/statements.md.

create table tax_record (
    taxpayer_id int not null references taxpayer,
    month int not null check (month between 200001 and 299912 and month % 100 between 1 and 12),
    tax_type text not null,
    declared numeric(16,2) not null,
    paid numeric(16,2) not null,
    refunded numeric(16,2) not null default 0,
    late_fee numeric(16,2) not null default 0,
    primary key (taxpayer_id, month, tax_type)
);

create table benefit_record (
    taxpayer_id int not null references taxpayer,
    month int not null check (month between 200001 and 299912 and month % 100 between 1 and 12),
    benefit_code text not null,
    item smallint not null default 1,
    claimed boolean not null default true,
    inputs jsonb not null,
    amount numeric(16,2) not null,
    primary key (taxpayer_id, month, benefit_code, item)
);
comment on column benefit_record.claimed is 'false: entitled and not claimed (应享未享); the amount is then an estimate';
comment on column benefit_record.amount is 'computed by the rule in force in that month when the record was loaded';

create table annual_record (
    taxpayer_id int not null references taxpayer,
    year smallint not null,
    credit_grade text check (credit_grade in ('A', 'B', 'M', 'C', 'D')),
    income numeric(16,2),
    prepaid numeric(16,2),
    tax_due numeric(16,2),
    primary key (taxpayer_id, year)
);

alter table import_file drop constraint import_file_kind_check;
alter table import_file add constraint import_file_kind_check check (kind in (
    'org_units', 'taxpayers', 'persons', 'labels', 'attributes', 'tax_records', 'benefit_records',
    'annual_records'));

create table statement_run (
    id int generated always as identity primary key,
    kind text not null check (kind in ('yearly_bill')),
    year smallint not null,
    scope_org_id int not null references org_unit,
    by text not null,
    reason text not null default '',
    households int not null default 0,
    documents int not null default 0,
    corrections int not null default 0,
    benefits int not null default 0,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on column statement_run.benefits is 'benefit lines contained in the documents, beside the count of households';

create sequence statement_id as bigint;

create table statement (
    id bigint primary key,
    taxpayer_id int not null references taxpayer,
    kind text not null check (kind in ('yearly_bill')),
    year smallint not null,
    version smallint not null check (version >= 1),
    supersedes bigint references statement,
    run_id int not null references statement_run,
    content_enc bytea not null,
    content_hash bytea not null check (octet_length(content_hash) = 32),
    facts_tag bytea not null,
    issued_at timestamptz not null,
    unique (taxpayer_id, kind, year, version),
    check ((version = 1) = (supersedes is null))
);
create index on statement (content_hash);
create index on statement (supersedes) where supersedes is not null;
comment on column statement.content_hash is 'SHA-256 of the canonical content, which holds a random serial: amounts cannot be guessed from it';
comment on column statement.facts_tag is 'keyed tag of the content without serial, version and time: equal means nothing has changed';

-- A locator: it shows nothing until the one-time code is entered. The token itself is never stored.
create table link (
    token_hash bytea primary key,
    taxpayer_ids int[] not null,
    person_id int,
    round_id int,
    message_id bigint,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    opened_at timestamptz,
    read_at timestamptz,
    tries smallint not null default 0,
    tries_since timestamptz,
    locked_until timestamptz
);
comment on column link.person_id is 'who gets the one-time code; null: the contact of the first household';
comment on column link.opened_at is 'first time that a code was asked for, a POST: previewers do not count';
comment on column link.read_at is 'first time that the amounts were shown, after the code';
create index on link (round_id) where round_id is not null;
create index on link (expires_at);

create table one_time_code (
    id bigint generated always as identity primary key,
    token_hash bytea not null references link on delete cascade,
    code_hash bytea not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz
);
create index on one_time_code (token_hash, created_at);

create table statement_session (
    session_hash bytea primary key,
    token_hash bytea not null references link on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    ended_at timestamptz
);
create index on statement_session (token_hash);

create table statement_access (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    event text not null check (event in (
        'code_sent', 'code_refused', 'code_wrong', 'locked', 'verified', 'miss', 'viewed', 'downloaded', 'ended')),
    token_hash bytea not null,
    network cidr not null,
    taxpayer_id int,
    statement_id bigint
);
comment on column statement_access.network is 'the /24 or /48 of the visitor, not her address';
create index on statement_access (network, at) where event = 'miss';
create index on statement_access (token_hash, at);
create index on statement_access (at);
