-- What two persons decide about messages of which nobody can tell: to send them once more.

create table second_send (
    id int generated always as identity primary key,
    round_id int not null references round,
    gateway_id smallint references gateway,
    note text not null,
    n int not null,
    asked_by text not null,
    asked_at timestamptz not null default business_now(),
    decided_by text,
    decided_at timestamptz,
    state text not null default 'asked' check (state in ('asked', 'approved', 'declined')),
    check ((decided_by is null) = (state = 'asked')),
    check (decided_by <> asked_by)
);
create unique index on second_send (round_id) where state = 'asked';
comment on column second_send.gateway_id is 'only what this account has sent; null: all of the round';
comment on column second_send.n is 'how many messages are meant: at most so many people get it twice';

create table second_send_message (
    message_id bigint primary key,
    second_send_id int not null references second_send,
    granted boolean not null default false,
    begun boolean not null default false
);
create index on second_send_message (second_send_id);
comment on column second_send_message.begun is 'its one repetition may have been on the wire: there is no other';
