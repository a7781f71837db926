-- 5G messages that became SMS, counted by org unit while a round moves, so that a report reads no messages.

create table round_fallen_back (
    round_id int not null references round on delete cascade,
    org_id int not null,
    by_operator int not null,
    by_ladder int not null,
    parts int not null,
    primary key (round_id, org_id)
);

create table round_fallen_back_look (
    round_id int primary key references round on delete cascade,
    counters text not null,
    looked_at timestamptz not null,
    took interval not null
);
comment on column round_fallen_back_look.counters is
    'the round''s counters at that moment: nothing is counted again before they move';
