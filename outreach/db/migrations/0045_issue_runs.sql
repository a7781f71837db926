-- Runs of issuing that staff order at the console: carried out by workers block by block, so that one that was
-- broken off goes on where it stopped (docs/decisions/0025-issuing-at-the-console.md).

alter table statement_run
    add column state text not null default 'running'
        check (state in ('waiting', 'running', 'finished', 'stopped', 'failed')),
    add column is_ordered boolean not null default false,
    add column expression text not null default 'everyone',
    add column members bytea,
    add column wanted int,
    add column unchanged int not null default 0,
    add column empty int not null default 0,
    add column owner text,
    add column beat_at timestamptz,
    add column attempts smallint not null default 0,
    add column trouble text not null default '';
update statement_run set state = 'finished', wanted = households where finished_at is not null;
update statement_run set beat_at = started_at where finished_at is null;
create index on statement_run (id) where state in ('waiting', 'running');
comment on column statement_run.is_ordered is 'a worker carries it out, and another one goes on when that worker dies';
comment on column statement_run.expression is 'whom of the unit: in the language of audiences, or ''households'' where they were named one by one';
comment on column statement_run.members is 'Roaring bitmap of those households, frozen with the order; null: all of the unit';
comment on column statement_run.wanted is 'households when its blocks were laid out; null before';
comment on column statement_run.beat_at is 'real time at which whoever carries it out last gave a sign';
comment on column statement_run.trouble is 'why it failed, as staff read it';

-- The blocks of a run: which are done stands in the transaction that wrote their documents. Gone when it has finished.
create table statement_block (
    run_id int not null references statement_run,
    last_id int not null,
    after_id int not null,
    households int not null,
    done_at timestamptz,
    primary key (run_id, last_id)
);
comment on column statement_block.after_id is 'its households follow this one, up to last_id';

-- What a run did, by the unit of the households when it was done; written with each block.
create table statement_tally (
    run_id int not null references statement_run,
    org_id int not null references org_unit,
    households int not null,
    documents int not null,
    corrections int not null,
    unchanged int not null,
    empty int not null,
    withdrawn int not null,
    benefits int not null,
    held int not null,
    gained int not null,
    primary key (run_id, org_id),
    check (households = documents + unchanged + empty)
);
comment on column statement_tally.withdrawn is 'those of the documents that withdraw the one before';
comment on column statement_tally.held is 'how many more households hold a document that counts: summed over runs, how many do';
comment on column statement_tally.benefits is 'benefit lines contained in the documents of the run';
comment on column statement_tally.gained is 'the same without those of the versions that they replace: summed over runs, what the newest versions hold';

alter table statement add column benefits smallint;
comment on column statement.benefits is 'benefit lines that it contains; null: issued before 0045';

-- Runs before this one, as far as they were counted: nobody noted units, nor who had nothing to tell, nor which lines
-- a correction replaced.
insert into statement_tally
select id, scope_org_id, households, documents, corrections, households - documents, 0, 0, benefits,
       documents - corrections, benefits
from statement_run where finished_at is not null;
update statement_run set unchanged = households - documents where finished_at is not null;
