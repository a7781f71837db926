-- name: inbox_months
-- Months of receipts that are older than their keeping and wholly merged.
select substring(c.relname from '[0-9]{6}$')::int as period
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'receipt_inbox'::regclass
  and (to_date(substring(c.relname from '[0-9]{6}$'), 'YYYYMM') + interval '1 month')::timestamp
      at time zone 'Asia/Shanghai' < now() - %(days)s * interval '1 day'
order by 1

-- name: unmerged_in
-- Whether a month of receipts still holds some that the merge has not read.
select exists (select from receipt_inbox
               where period = %(period)s and (arrived_in, id) >
                     ((select arrived_in from receipt_cursor), (select id from receipt_cursor))) as waits

-- name: forget_orphans
-- Receipts that nobody could match, seen or not.
delete from receipt_orphan where ctid = any(array(
    select ctid from receipt_orphan where arrived_at < now() - %(days)s * interval '1 day' limit %(limit)s))

-- name: forget_links
-- With their codes and sessions. Life follows business time, as the messages do.
delete from link where token_hash in (
    select token_hash from link where expires_at < business_now() - %(days)s * interval '1 day' limit %(limit)s)

-- name: forget_sessions
-- Of staff, ended.
delete from session where token_hash in (
    select token_hash from session where expires_at < now() - %(days)s * interval '1 day' limit %(limit)s)

-- name: forget_attempts
-- Log-ins that failed.
delete from login_attempt where id in (
    select id from login_attempt where at < now() - %(days)s * interval '1 day' limit %(limit)s)

-- name: forget_accesses
-- Who looked at a statement.
delete from statement_access where id in (
    select id from statement_access where at < now() - %(days)s * interval '1 day' limit %(limit)s)

-- name: forget_directs
-- One-time codes and test sends; the code itself was never kept.
delete from direct_message where ctid = any(array(
    select ctid from direct_message where created_at < now() - %(days)s * interval '1 day' limit %(limit)s))

-- name: forget_workers
-- Processes that are long gone.
delete from worker where seen_at < now() - %(days)s * interval '1 day'

-- name: forget_turns
-- Whose turn it was at a rule that is over: nobody asks any more.
delete from trigger_turn where ctid = any(array(
    select t.ctid from trigger_turn t join round r on r.id = t.round_id
    where r.finished_at < business_now() - %(days)s * interval '1 day' limit %(limit)s))

-- name: forget_triggered
-- What came of the events of such a rule, once each has been judged: the message, the sets of its day and the event
-- stay.
delete from triggered where ctid = any(array(
    select t.ctid from triggered t join round r on r.id = t.round_id
    where r.finished_at < business_now() - %(days)s * interval '1 day' and t.outcome is not null limit %(limit)s))

-- name: months_due
-- Months of messages that have been here longer than they are kept.
select distinct substring(c.relname from '[0-9]{6}$')::int as period
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'message'::regclass
  and (to_date(substring(c.relname from '[0-9]{6}$'), 'YYYYMM') + (%(months)s + 1) * interval '1 month')::timestamp
      at time zone 'Asia/Shanghai' <= business_now()
  and not exists (select from period_archive a where a.state = 'restored'
                  and a.period = substring(c.relname from '[0-9]{6}$')::int)
order by 1
