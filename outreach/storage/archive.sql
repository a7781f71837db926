-- name: blockers
-- Why a month may not leave yet: rounds that are open or still to come, messages that rest or whose receipt may
-- still arrive, receipts that are not merged, and the months that the contact quota looks back on.
select (extract(year from now_at) * 100 + extract(month from now_at))::int as this_month,
       (select count(*) from round r
        where r.finished_at is null and (r.period = %(period)s or r.period is null and r.ends_at > business_now()
              and extract(year from r.starts_at at time zone 'Asia/Shanghai') * 100
                  + extract(month from r.starts_at at time zone 'Asia/Shanghai') = %(period)s))::int as open_rounds,
       (select count(*) from message m join batch b on b.shard = m.shard and b.id = m.id / 1000
        join gateway g on g.id = b.gateway_id
        where m.period = %(period)s and (m.not_before is not null
              or m.state in (1, 2) and m.at > business_now() - g.receipt_deadline))::int as awaited,
       (select count(*) from receipt_inbox i
        where (i.arrived_in, i.id) > ((select arrived_in from receipt_cursor), (select id from receipt_cursor))
          and (i.message_id is null or exists (
              select from batch b where b.shard = i.message_id / 1000 %% 8 and b.id = i.message_id / 1000
                                    and b.period = %(period)s)))::int as unmerged
from (select business_now() at time zone 'Asia/Shanghai' as now_at) clock

-- name: archive_of
-- Whether a month has been archived, and where to.
select period, state, folder, manifest_hash, messages, by, archived_at from period_archive where period = %(period)s

-- name: archives
-- All of them.
select period, folder, messages, archived_at, state = 'archived' as is_away from period_archive order by period

-- name: schema_version
-- The last migration.
select max(name) as name from schema_migration

-- name: rounds_of
-- Every round of the month with its recipients.
select r.id as round_id, c.name as campaign, r.name, r.audience, r.planned, count(p.person_id)::int as recipients,
       coalesce(sum(cardinality(p.taxpayer_ids)), 0)::int as households
from round r join campaign c on c.id = r.campaign_id
left join recipient p on p.period = r.period and p.round_id = r.id
where r.period = %(period)s group by r.id, c.name order by r.id

-- name: sums_of
-- Counted from the rows.
select round_id, step, state, count(*)::int as n, sum(cardinality(taxpayer_ids))::int as households
from message where period = %(period)s group by round_id, step, state order by round_id, step, state

-- name: reached_of
-- Distinct households with a delivered or read message.
select round_id, array_agg(distinct t) as ids from message, unnest(taxpayer_ids) as t
where period = %(period)s and state in (3, 5) group by round_id

-- name: keep_archive
-- With the rows' leaving, in one transaction.
insert into period_archive (period, state, folder, manifest_hash, messages, by)
values (%(period)s, 'archived', %(folder)s, %(hash)s, %(messages)s, %(by)s)
on conflict (period) do update set state = 'archived', folder = excluded.folder,
    manifest_hash = excluded.manifest_hash, messages = excluded.messages, by = excluded.by,
    archived_at = now(), restored_at = null

-- name: keep_round
-- What reports and the audit need of it.
insert into round_archive (round_id, period, recipients, households, sums, reached)
values (%(round_id)s, %(period)s, %(recipients)s, %(households)s, %(sums)s, %(reached)s)
on conflict (round_id) do update set recipients = excluded.recipients, households = excluded.households,
    sums = excluded.sums, reached = excluded.reached

-- name: mark_restored
-- The rows are back.
update period_archive set state = 'restored', restored_at = now() where period = %(period)s
