-- A slice whose day went by moves on; the day that it was laid out for stays on record.
alter table round_slice add column planned_on date;
comment on column round_slice.planned_on is 'the day before it was put off; null where it never was';
