-- A campaign says which roles get its message, the first who can be reached; where it says none, the contact of the
-- register is told, as before.
alter table campaign add column contact_roles text[] not null default '{}'
    check (contact_roles <@ array['self', 'legal_representative', 'finance_head', 'tax_filer', 'invoice_clerk', 'agent']);
comment on column campaign.contact_roles is
    'who is told for a household, in the order in which they are asked; empty: the contact of the register';

-- The sets of a lap stand at the places of their reasons, and a new reason stands before the last: what still grows
-- moves on by one. Twice, because the places are unique row by row.
update round_set s set ordinal = -1 - s.ordinal from round r
where r.id = s.round_id and r.lap is not null and r.finished_at is null and s.ordinal >= 8;
update round_set set ordinal = -ordinal where ordinal < 0;
