-- name: close_steps
-- Locks each step, as whoever cuts its batches does.
update round_step set state = 'closed' where round_id = %(round_id)s and state <> 'closed'

-- name: expire
-- A round whose window has closed: what has not left expires, it is never sent at three in the morning. What
-- may be on the wire (between settled and watermark of a leased batch) is left to its holder.
with open_batch as materialized (
    select b.shard, b.id, b.period, b.watermark from batch b join round r on r.id = b.round_id
    where b.round_id = %(round_id)s and b.state = 0 and (b.lease_until is null or b.lease_until < now())
    for update of b
), unsent as materialized (
    select m.period, m.shard, m.id from open_batch o join message m on m.period = o.period and m.shard = o.shard
         and m.id >= o.id * 1000 + o.watermark and m.id < (o.id + 1) * 1000 and m.state = 0
    union all
    select period, shard, id from message where not_before is not null and state = 0 and round_id = %(round_id)s
), gone as (
    update message m set state = %(state)s, not_before = null, at = (select business_now())
    from unsent u where m.period = u.period and m.shard = u.shard and m.id = u.id and m.state = 0
    returning m.step, m.org_id, cardinality(m.taxpayer_ids) as h
), closed as (
    update batch b set state = 2 from open_batch o
    where b.shard = o.shard and b.id = o.id and b.settled = b.watermark
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select %(round_id)s, step, org_id, s.state, s.sign * count(*), s.sign * sum(h)
    from gone, (values (0::smallint, -1), (%(state)s::smallint, 1)) s (state, sign)
    group by step, org_id, s.state, s.sign
)
select count(*)::int as n from gone

-- name: still_open
-- Whether anything of a round may still move by our own doing.
select exists (select from batch where round_id = %(round_id)s and state = 0) as sending,
       exists (select from message where round_id = %(round_id)s and not_before is not null) as resting

-- name: fold_counts
-- The movements become one row each; a reader sees the same sums before, during and after.
with taken as (
    delete from message_count c using (
        select round_id, step from message_count group by round_id, step having count(*) > 64 limit 16) f
    where c.round_id = f.round_id and c.step = f.step
    returning c.*
)
insert into message_count (round_id, step, org_id, state, n, households)
select round_id, step, org_id, state, sum(n), sum(households) from taken
group by round_id, step, org_id, state having sum(n) <> 0 or sum(households) <> 0
