-- Which households a round has reached, kept while receipts come in: a report reads one set instead of millions
-- of messages.

create table round_reached (
    round_id int primary key references round on delete cascade,
    data bytea not null
);
comment on table round_reached is 'a bitmap of taxpayer ids; what came since it was written stands in reached_delta';

create table reached_delta (
    id bigint generated always as identity primary key,
    round_id int not null,
    taxpayer_ids int[] not null
);
create index on reached_delta (round_id);

insert into reached_delta (round_id, taxpayer_ids)
select m.round_id, array_agg(distinct t) from message m, unnest(m.taxpayer_ids) as t
where m.state in (3, 5) group by m.round_id;

-- Of months that have left for the archive the set was kept when they left.
insert into round_reached (round_id, data)
select a.round_id, a.reached from round_archive a join period_archive p on p.period = a.period
where p.state = 'archived';
