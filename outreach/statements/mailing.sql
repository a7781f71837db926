-- name: mailbox
-- The person who got the code of this visit, and her address on file.
select l.person_id, a.id as address_id, a.value_enc, a.dest, a.verified_at is not null as is_proved
from link l join address a on a.person_id = l.person_id and a.kind = 'email' and a.usable
where l.token_hash = %(hash)s;

-- name: begin_code
-- Nothing is returned once the day's codes are used up.
insert into statement_mailbox as b (person_id, day, codes, dest, code_hash, code_expires_at)
values (%(person_id)s, (now() at time zone 'Asia/Shanghai')::date, 1, %(dest)s, %(code)s,
        now() + make_interval(secs => %(seconds)s))
on conflict (person_id) do update set
    day = excluded.day, dest = excluded.dest, code_hash = excluded.code_hash,
    code_expires_at = excluded.code_expires_at,
    codes = case when b.day = excluded.day then b.codes + 1 else 1 end,
    tries = case when b.day = excluded.day then b.tries else 0 end,
    mails = case when b.day = excluded.day then b.mails else 0 end
where b.day < excluded.day or b.codes < %(most)s
returning person_id;

-- name: try_code
-- Counted before it is compared: tries at the same moment wait for each other here.
update statement_mailbox set tries = tries + 1
where person_id = %(person_id)s and dest = %(dest)s and code_hash is not null and code_expires_at > now()
  and tries < %(most)s
returning code_hash;

-- name: prove
-- Once; an address that was replaced meanwhile is not the one that the code went to.
with used as (
    update statement_mailbox set code_hash = null where person_id = %(person_id)s returning dest
)
update address a set verified_at = now(), updated_at = now() from used
where a.person_id = %(person_id)s and a.kind = 'email' and a.usable and a.dest = used.dest
returning a.id;

-- name: count_mail
-- As begin_code.
insert into statement_mailbox as b (person_id, day, mails)
values (%(person_id)s, (now() at time zone 'Asia/Shanghai')::date, 1)
on conflict (person_id) do update set
    day = excluded.day,
    mails = case when b.day = excluded.day then b.mails + 1 else 1 end,
    codes = case when b.day = excluded.day then b.codes else 0 end,
    tries = case when b.day = excluded.day then b.tries else 0 end
where b.day < excluded.day or b.mails < %(most)s
returning person_id;
