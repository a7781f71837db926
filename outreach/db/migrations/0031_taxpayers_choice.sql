-- What taxpayers refuse by topic.

-- A topic is refused on every channel, a channel for every topic; both are publicity only.
alter table opt_out drop constraint opt_out_channel_check,
    add constraint opt_out_channel_check
        check (channel in ('all', 'sms', 'rcs', 'wechat', 'email', 'wecom', 'dingtalk', 'call', 'topic:policy',
                           'topic:reminder', 'topic:bill', 'topic:survey', 'topic:training'));
comment on column opt_out.channel is 'what is refused: a channel, all of them, or a topic of publicity whatever its channel';

-- As before, and whoever refuses the topic is reached on no rung. No topic: nothing can be refused.
drop function persons_reached(int[], smallint[], text[], text[], boolean, int[], int[], boolean);
create function persons_reached(
    planned int[], steps smallint[], channels text[], kinds text[], topic text,
    care int[], mongolian int[], call_first boolean
) returns table (person_id int, taxpayer_ids int[], org_id int, reach int, apart int) language sql stable as $$
    with named as materialized (
        select c.person_id, array_agg(t.id order by t.id) as taxpayer_ids,
               (array_agg(t.org_id order by t.id))[1] as org_id,
               bool_or(k.id is not null and t.kind <> 'enterprise') as in_care,
               bool_or(m.id is not null and t.kind <> 'enterprise') as reads_mongolian
        from unnest(planned) as x (id)
        join taxpayer t on t.id = x.id join contact c on c.taxpayer_id = x.id
        left join unnest(care) as k (id) on k.id = x.id
        left join unnest(mongolian) as m (id) on m.id = x.id
        group by c.person_id
    ), rungs as (
        select * from unnest(steps, channels, kinds) as s (step, channel, kind)
    ), judged as materialized (
        select n.person_id, n.taxpayer_ids, n.org_id,
               case when call_first and (n.in_care or p.special_care)
                         and exists (select from rungs where channel in ('call', 'visit')) then 1 else 0 end
               + case when n.reads_mongolian or p.language = 'mn' then 2 else 0 end as apart
        from named n
        left join (select id, special_care, language from person where special_care or language = 'mn') p
            on p.id = n.person_id
    ), able as (
        select a.person_id, s.step, s.channel from judged j
        join address a on a.person_id = j.person_id and a.usable
        join rungs s on s.kind = a.kind and (s.channel <> 'rcs' or a.rcs is distinct from false)
        union all
        select j.person_id, s.step, s.channel from judged j cross join rungs s where s.channel = 'visit'
    ), willing as (
        select e.person_id, sum(1 << e.step) as whole,
               sum(1 << e.step) filter (where e.channel in ('call', 'visit')) as spoken,
               sum(1 << e.step) filter (where e.channel = 'sms') as texts
        from able e
        left join (select person_id, channel from opt_out where topic <> '') o
            on o.person_id = e.person_id and o.channel in ('all', e.channel, topic)
        where o.person_id is null
        group by e.person_id
    )
    select j.person_id, j.taxpayer_ids, j.org_id,
           case j.apart when 0 then w.whole
                        when 1 then coalesce(w.spoken, 0)
                        when 2 then w.whole - coalesce(w.texts, 0)
                        else coalesce(w.spoken, 0) end::int,
           j.apart
    from willing w join judged j on j.person_id = w.person_id
$$;

-- What taxpayers opened and read of a round's links, kept while it happens: a report reads a few sets instead of
-- millions of links (docs/decisions/0012).
create table round_opened (
    round_id int not null references round on delete cascade,
    what text not null check (what in ('opened', 'yearly_bill', 'benefit_bill', 'gift_pack', 'checkup')),
    data bytea not null,
    primary key (round_id, what)
);
comment on table round_opened is 'bitmaps of taxpayer ids; what came since they were written stands in opened_delta';
comment on column round_opened.what is
    'opened: a one-time code was asked for through a link; else the kind of document that was shown after the code';

create table opened_delta (
    id bigint generated always as identity primary key,
    round_id int not null,
    what text not null,
    taxpayer_ids int[] not null
);
create index on opened_delta (round_id, what);

insert into opened_delta (round_id, what, taxpayer_ids)
select l.round_id, 'opened', array_agg(distinct t)
from link l join round r on r.id = l.round_id, unnest(l.taxpayer_ids) as t
where l.opened_at is not null group by l.round_id;

insert into opened_delta (round_id, what, taxpayer_ids)
select l.round_id, s.kind, array_agg(distinct s.taxpayer_id)
from statement_access a join link l on l.token_hash = a.token_hash join round r on r.id = l.round_id
join statement s on s.id = a.statement_id
where a.event in ('viewed', 'downloaded') group by l.round_id, s.kind;

-- A document that a verified visitor has sent to her address on file.
alter table statement_access drop constraint statement_access_event_check;
alter table statement_access add constraint statement_access_event_check check (event in (
    'code_sent', 'code_refused', 'code_wrong', 'locked', 'verified', 'miss', 'stopped', 'viewed', 'downloaded',
    'mailed', 'ended'));

-- An address on file gets documents only after whoever reads it has shown that she is the verified visitor.
create table statement_mailbox (
    person_id int primary key references person on delete cascade,
    day date not null,
    codes smallint not null default 0,
    tries smallint not null default 0,
    mails smallint not null default 0,
    dest bigint,
    code_hash bytea,
    code_expires_at timestamptz
);
comment on column statement_mailbox.day is 'the day (Beijing) to which the three counts belong';
comment on column statement_mailbox.dest is 'the address that the code went to: no other is proved by it';
