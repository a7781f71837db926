-- name: record
insert into opt_out (person_id, channel, at, source)
values (%(person_id)s, %(channel)s, %(at)s, %(source)s)
on conflict do nothing;

-- name: withdraw
delete from opt_out where person_id = %(person_id)s and channel = %(channel)s;

-- name: of_person
select channel, at from opt_out where person_id = %(person_id)s order by channel;
