-- Receipts of one-time codes and test sends whose provider does not echo our key, and providers that tell what
-- became of a message only when they are asked.
create index on direct_message (gateway_id, ref);
create index direct_message_in_parts on direct_message (gateway_id, created_at) where strpos(ref, '+') > 0;

-- When the provider is asked next about the accepted messages of a batch. One row per batch of an account
-- whose adapter answers by reference; gone when nothing more can be asked.
create table result_ask (
    shard smallint not null,
    batch_id bigint not null,
    asks smallint not null default 0,
    next_at timestamptz not null,
    primary key (shard, batch_id),
    foreign key (shard, batch_id) references batch on delete cascade
);
create index on result_ask (next_at);
comment on column result_ask.asks is 'how often it has been asked about';
