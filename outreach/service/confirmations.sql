-- name: campaign_kind
select kind from campaign where id = %(id)s;

-- name: publish
insert into confirmation_matter (campaign_id, version, title, body, confirm_label, decline_label, closes_at, published_by)
select %(campaign)s, coalesce(max(version), 0) + 1, %(title)s, %(body)s, %(confirm)s, %(decline)s, %(closes_at)s, %(by)s
from confirmation_matter where campaign_id = %(campaign)s
returning id, version;

-- name: matter
select m.id, m.campaign_id, m.version, m.title, m.body, m.confirm_label, m.decline_label, m.closes_at,
       m.published_by, m.published_at,
       (m.closes_at is null or m.closes_at > business_now()) and c.state <> 'cancelled' as is_open
from confirmation_matter m join campaign c on c.id = m.campaign_id
where m.campaign_id = %(campaign)s order by m.version desc limit 1;

-- name: answers
select id, verdict, channel, at, supersedes, encode(digest, 'hex') as digest, matter_id
from confirmation where campaign_id = %(campaign)s and taxpayer_id = %(taxpayer)s order by id desc;

-- name: hold
-- One writer for each household at a time, in ascending order: an answer knows the one before it.
select pg_advisory_xact_lock(764019, hashint8(%(campaign)s::bigint << 32 | one.id))
from (select id from unnest(%(ids)s::int[]) as id order by hashint8(%(campaign)s::bigint << 32 | id)) one;

-- name: before
select t.id as taxpayer_id, nextval('confirmation_id') as number, business_now() as now,
       (select max(c.id) from confirmation c
        where c.campaign_id = %(campaign)s and c.taxpayer_id = t.id) as last
from unnest(%(ids)s::int[]) as t (id);

-- name: add
insert into confirmation (id, campaign_id, matter_id, taxpayer_id, person_id, verdict, channel, round_id, message_id,
                          inbound_id, at, supersedes, record_enc, digest, audit_id)
values (%(id)s, %(campaign)s, %(matter)s, %(taxpayer)s, %(person)s, %(verdict)s, %(channel)s, %(round)s, %(message)s,
        %(inbound)s, %(at)s, %(supersedes)s, %(record)s, %(digest)s, %(audit)s);

-- name: evidence
select c.id, c.record_enc, c.digest, c.audit_id
from confirmation c join taxpayer t on t.id = c.taxpayer_id join org_unit o on o.id = t.org_id
where c.campaign_id = %(campaign)s and (%(taxpayer)s::int is null or c.taxpayer_id = %(taxpayer)s)
  and o.path like %(path)s || '%%'
order by c.id limit %(limit)s;

-- name: events
select e.id, e.at, e.actor, e.action, e.object, e.detail, e.hash,
       coalesce((select hash from audit_event b where b.id = e.id - 1), '\x00'::bytea) as previous
from audit_event e where e.id = any(%(ids)s) order by e.id;

-- name: digests
select c.id, c.digest, c.audit_id, e.hash
from confirmation c join audit_event e on e.id = c.audit_id where c.id = any(%(ids)s);

-- name: flags
select code from label where code = any(%(codes)s) and kind = 'flag' and not withdrawn;
