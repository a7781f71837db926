-- Approval that binds, what a message costs, and how far a round may go.

alter table campaign drop constraint campaign_state_check;
alter table campaign add constraint campaign_state_check
    check (state in ('draft', 'in_review', 'approved', 'running', 'paused', 'finished', 'cancelled'));
alter table campaign
    add column editors text[] not null default '{}',
    add column allowances text[] not null default '{}',
    add constraint campaign_two_persons check (approved_by is null or approved_by <> all (editors));
comment on column campaign.editors is 'everybody who has changed or submitted it: none of them may approve it';
comment on column campaign.allowances is 'rules of the wording guard that this campaign may break, seen by the approver';
comment on column campaign.approved_hash is
    'SHA-256 of the covered text (campaigns/approval_text.py); a round starts only while it still fits';

-- Every time somebody asked for a signature, and what came of it. `covered` is what was to be signed.
create table campaign_review (
    id int generated always as identity primary key,
    campaign_id int not null references campaign on delete cascade,
    what text not null check (what in ('campaign', 'extension')),
    asked_by text not null,
    asked_at timestamptz not null default now(),
    note text not null default '',
    hash bytea not null,
    covered jsonb not null,
    round_id int references round on delete cascade,
    ends_at timestamptz,
    decision text check (decision in ('approved', 'sent_back', 'withdrawn')),
    decided_by text,
    decided_at timestamptz,
    reason text not null default '',
    check ((decision is null) = (decided_by is null)),
    check (decision is distinct from 'approved' or decided_by <> asked_by),
    check (what = 'campaign' or round_id is not null and ends_at is not null)
);
create unique index campaign_review_open on campaign_review (campaign_id, what) where decision is null;
create index on campaign_review (campaign_id, id);

-- What an account charges for a part (SMS) or a message (all others). No row: not told.
create table channel_price (
    gateway_id smallint primary key references gateway,
    yuan numeric(8, 4) not null check (yuan >= 0),
    set_by text not null,
    set_at timestamptz not null default now()
);

-- Whom a set of households is told through: one row per person with all the households that she looks after; bit n
-- of reach is set if rung n has an address of hers that works and that she has not closed to us. The planning
-- of a round and its forecast ask here alike.
create function persons_reached(planned int[], steps smallint[], channels text[], kinds text[], honours boolean)
returns table (person_id int, taxpayer_ids int[], org_id int, reach int) language sql stable as $$
    with named as materialized (
        select c.person_id, array_agg(t.id order by t.id) as taxpayer_ids,
               (array_agg(t.org_id order by t.id))[1] as org_id
        from unnest(planned) as x (id)
        join taxpayer t on t.id = x.id join contact c on c.taxpayer_id = x.id
        group by c.person_id
    ), rungs as (
        select * from unnest(steps, channels, kinds) as s (step, channel, kind)
    )
    select n.person_id, n.taxpayer_ids, n.org_id, sum(1 << s.step)::int
    from named n cross join rungs s
    join address a on a.person_id = n.person_id and a.kind = s.kind and a.usable
    where (s.channel <> 'rcs' or a.rcs is distinct from false)
      and not (honours and exists (
          select from opt_out o where o.person_id = n.person_id and o.channel in ('all', s.channel)))
    group by n.person_id, n.taxpayer_ids, n.org_id
$$;
