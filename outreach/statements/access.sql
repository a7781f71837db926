-- name: lock_link
-- The row lock makes attempts on one link queue up: tries cannot be raced past their limit.
-- Life follows business time, as the messages do; locks and codes follow the machine's clock. A link whose
-- person acts for none of its households any more is dead.
select token_hash, p.person_id, by_number,
       expires_at > business_now() and revoked_at is null
           and acting_for(p.person_id, taxpayer_ids) <> '{}' as alive,
       coalesce(locked_until > now(), false) as locked,
       case when tries_since > now() - interval '24 hours' then tries else 0 end as tries
from link, lateral (
    select coalesce(link.person_id,
                    (select c.person_id from contact c where c.taxpayer_id = link.taxpayer_ids[1])) as person_id) p
where token_hash = %(hash)s
for update of link;

-- name: lock_person
-- Links of one person must not race past the limits that she has over all of them.
select pg_advisory_xact_lock(7640024, %(key)s);

-- name: today
select count(*) filter (where token_hash = %(hash)s) as of_link,
       count(*) filter (where of_her) as of_person,
       coalesce(sum(c.tries) filter (where of_her), 0) as tries,
       count(*) filter (where of_her and by_number) as by_number,
       coalesce(sum(c.tries) filter (where of_her and by_number), 0) as tries_by_number
from one_time_code c join link l using (token_hash), lateral (select c.person_id = %(person)s as of_her) h
where c.created_at > now() - interval '24 hours' and (token_hash = %(hash)s or c.person_id = %(person)s);

-- name: add_code
-- Also run, without effect, for a link that gets no code: then the database has the same to do for every link.
-- Only the first time counts for the round's report (outreach/ledger/opened.py).
with opened as (
    update link set opened_at = business_now() where token_hash = %(hash)s and %(send)s and opened_at is null
    returning round_id, taxpayer_ids
), counted as (
    insert into opened_delta (round_id, what, taxpayer_ids)
    select round_id, 'opened', taxpayer_ids from opened where round_id is not null)
insert into one_time_code (token_hash, code_hash, expires_at, person_id)
select %(hash)s, %(code)s, now() + make_interval(secs => %(seconds)s), %(person)s where %(send)s
returning id, expires_at;

-- name: code_hash
-- Only the newest code counts; an older one that is still on its way must not open anything.
select id, code_hash, expires_at > now() and used_at is null as usable
from one_time_code where token_hash = %(hash)s
order by id desc limit 1;

-- name: count_try
-- Like add_code also run for links that count nothing: then `tries` is null.
with of_code as (
    update one_time_code set tries = tries + 1 where id = %(code)s and %(tries)s::int is not null)
update link
set tries = %(tries)s,
    tries_since = case when %(tries)s = 1 then now() else tries_since end,
    locked_until = case when %(tries)s >= %(most)s then now() + interval '24 hours' else locked_until end
where token_hash = %(hash)s and %(tries)s::int is not null;

-- name: use_code
update one_time_code set used_at = now() where id = %(id)s;

-- name: open_session
-- Whoever has proved herself is the one whom the visit depends on, also if the link named nobody.
with read as (
    update link set tries = 0, tries_since = null, read_at = coalesce(read_at, business_now()),
                    person_id = %(person)s
    where token_hash = %(hash)s)
insert into statement_session (session_hash, token_hash, expires_at)
values (%(session)s, %(hash)s, now() + make_interval(secs => %(seconds)s));

-- name: find_session
-- Asked for each page: a household for which she acts no more is gone from the visit at once.
select s.token_hash, a.taxpayer_ids, s.expires_at
from statement_session s join link l using (token_hash),
     lateral (select acting_for(l.person_id, l.taxpayer_ids) as taxpayer_ids) a
where s.session_hash = %(session)s and s.ended_at is null and s.expires_at > now()
  and l.revoked_at is null and l.expires_at > business_now() and a.taxpayer_ids <> '{}';

-- name: end_session
update statement_session set ended_at = now() where session_hash = %(session)s and ended_at is null
returning token_hash;

-- name: add_access
insert into statement_access (event, token_hash, network) values (%(event)s, %(hash)s, %(network)s);

-- name: add_document
-- Whoever sees a document has read it; the first time that a link shows one is what its round's report counts.
with counted as (
    insert into opened_delta (round_id, what, taxpayer_ids)
    select l.round_id, s.kind, array[s.taxpayer_id]
    from link l, statement s
    where %(event)s in ('viewed', 'downloaded')
      and l.token_hash = %(hash)s and l.round_id is not null and s.id = %(statement)s
      and not exists (
          select from statement_access a
          where a.token_hash = l.token_hash and a.statement_id = s.id and a.event in ('viewed', 'downloaded')))
insert into statement_access (event, token_hash, network, taxpayer_id, statement_id)
values (%(event)s, %(hash)s, %(network)s, %(taxpayer)s, %(statement)s);

-- name: tries
-- Tries of a network that were not verified, live links and dead ones alike: being slowed tells nothing.
select count(*) as n from statement_access tried
where event in ('miss', 'code_sent', 'code_refused', 'code_wrong', 'locked')
  and network = %(network)s and at > now() - interval '1 minute'
  and not exists (
      select from statement_access entered
      where entered.token_hash = tried.token_hash and entered.event = 'verified'
        and entered.network = tried.network and entered.at > now() - interval '1 minute');

-- name: add_stop
-- One row a minute: whoever floods us must not fill our books.
insert into statement_access (event, network)
select 'stopped', %(network)s::cidr
where not exists (
    select from statement_access
    where event = 'stopped' and network = %(network)s::cidr and at > now() - interval '1 minute');

-- name: miss_share
-- What an alert watches: somebody who guesses raises the share of misses far above the usual.
select count(*) as attempts, count(*) filter (where event = 'miss') as misses
from statement_access
where event in ('miss', 'code_sent', 'code_refused') and token_hash is not null
  and at > now() - make_interval(mins => %(minutes)s);

-- name: documents
select distinct on (taxpayer_id, kind, year) id, taxpayer_id, kind, year, content_enc, content_hash
from statement
where taxpayer_id = any(%(ids)s)
order by taxpayer_id, kind, year desc, version desc;

-- name: visit
-- `find_session` and `documents` of what it finds, in one round trip; one row without a document if there is none.
-- Reminders on WeChat are offered where a gateway could send them. Beside it the template by which the link's
-- round told of a document, and the year of that.
select s.token_hash, a.taxpayer_ids, s.expires_at, d.*, told.template as told_by, told.year as told_year,
       exists (select from gateway where channel = 'wechat' and state = 'active') as offers_wechat
from statement_session s join link l using (token_hash),
     lateral (select acting_for(l.person_id, l.taxpayer_ids) as taxpayer_ids) a
left join lateral (
    select distinct on (taxpayer_id, kind, year) id, taxpayer_id, kind, year, content_enc, content_hash
    from statement
    where taxpayer_id = any(a.taxpayer_ids)
    order by taxpayer_id, kind, year desc, version desc) d on true
left join lateral (
    select t.code as template, c.variables ->> 'tax_year' as year
    from round r join campaign c on c.id = r.campaign_id
    join round_step step on step.round_id = r.id join template t on t.id = step.template_id
    where r.id = l.round_id order by step.step limit 1) told on true
where s.session_hash = %(session)s and s.ended_at is null and s.expires_at > now()
  and l.revoked_at is null and l.expires_at > business_now() and a.taxpayer_ids <> '{}';

-- name: by_digest
select s.kind, s.year, s.version, s.issued_at, o.name as bureau, newest.id = s.id as current, newest.withdrawn
from statement s join taxpayer t on t.id = s.taxpayer_id join org_unit o on o.id = t.org_id
cross join lateral (
    select n.id, n.withdrawn from statement n
    where n.taxpayer_id = s.taxpayer_id and n.kind = s.kind and n.year = s.year
    order by n.version desc limit 1) newest
where s.content_hash = %(digest)s;
