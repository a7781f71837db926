-- The words of messages that ask for a confirmation, what the system tells by itself, and the feedback wall.

-- Values that a text named may change after it was sent: only what was kept can be shown again. Written before the
-- message leaves; a second try with another text (its own link) stands beside the first.
create table sent_text (
    message_id bigint not null,
    digest bytea not null check (octet_length(digest) = 32),
    taxpayer_ids int[] not null,
    text_enc bytea not null,
    at timestamptz not null default business_now(),
    primary key (message_id, digest)
);
comment on column sent_text.digest is 'SHA-256 of the text';
comment on column sent_text.taxpayer_ids is 'the households that the text named: those of the message that had still to act';
create trigger sent_text_append_only before update or delete on sent_text
    for each row execute function refuse_change();

alter table ticket_step drop constraint ticket_step_kind_check,
    add constraint ticket_step_kind_check check (kind in (
        'opened', 'taken', 'noted', 'moved', 'answered', 'called', 'closed', 'reopened', 'told'));
comment on column ticket_step.kind is 'told: what the person reads at once, from the system and no answer yet';

-- 吐槽台: what taxpayers say of the service in general. It is a ticket like others, and may be shown to everybody once it
-- is answered and reviewed: in the words that the reviewer leaves, never by itself and never with a person.
alter table ticket drop constraint ticket_source_check,
    add constraint ticket_source_check
        check (source in ('question', 'reply', 'complaint', 'bad_rating', 'hotline', 'feedback'));

create table wall_entry (
    ticket_id bigint primary key references ticket,
    topic text not null check (topic in ('attitude', 'waiting', 'policy', 'online', 'process', 'messages', 'other')),
    may_publish boolean not null,
    state text not null default 'new' check (state in ('new', 'published', 'withheld', 'withdrawn')),
    text text,
    answer text,
    decided_by text,
    decided_at timestamptz,
    check ((state = 'published') = (text is not null and answer is not null))
);
create index on wall_entry (ticket_id) where state = 'published';
create index on wall_entry (topic);
comment on column wall_entry.may_publish is 'whether she agreed that it may be shown';
comment on column wall_entry.text is 'what everybody reads, without anything of a person; what she wrote stands sealed in the ticket';
