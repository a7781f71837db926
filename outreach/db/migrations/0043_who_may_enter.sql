-- A link opens the documents of the households for which its person still acts, and of no other.
create function acting_for(person int, wanted int[]) returns int[] language sql stable as $$
    select coalesce(array_agg(t order by place), '{}')
    from unnest(wanted) with ordinality as one (t, place)
    where exists (select from role r where r.taxpayer_id = t and r.person_id = person)
$$;
comment on function acting_for is 'of the households of a link those in which the person still has a role, in their order';
comment on column link.person_id is
    'who gets the one-time code; null: the contact of the first household, written down when the code was right';

-- Whoever knows a number, which of a company everybody does, must not use up what its person has for the links
-- of her messages: codes and wrong entries of links by number are counted apart as well.
alter table link add column by_number boolean not null default false;
comment on column link.by_number is
    'made by the page /find for whoever typed a number, and carried by no message; of a number that is not known, or has no document, it names no household';

alter table statement_access drop constraint statement_access_event_check;
alter table statement_access add constraint statement_access_event_check check (event in (
    'number', 'code_sent', 'code_refused', 'code_wrong', 'locked', 'verified', 'miss', 'stopped', 'viewed', 'downloaded',
    'mailed', 'ended'));
comment on column statement_access.token_hash is
    'null: a network was stopped before its link was looked at, or asked for a message or a ticket that there is not';
comment on column statement_access.event is 'number: a number was typed on the page /find, known or not';
