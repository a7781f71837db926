-- name: lock_round
-- Whoever cuts waits for its steps. `begun`: how far the round has been cut.
select r.id, r.ends_at, r.stagger, c.org_id, business_now() as now,
       (select coalesce(max(cursor_position), 0)
        from (select cursor_position from round_step where round_id = %(round_id)s for update) s) as begun
from round r join campaign c on c.id = r.campaign_id
where r.id = %(round_id)s and r.finished_at is null for no key update of r

-- name: untouched
-- In the order in which they open.
select ordinal, org_id, persons, opens_on, opens_at, coalesce(planned_on, opens_on) as planned_on from round_slice
where round_id = %(round_id)s and first_position > %(begun)s order by ordinal

-- name: carried
-- Persons of today's slices that have been begun, by hall.
select org_id, sum(persons)::int as persons from round_slice
where round_id = %(round_id)s and first_position <= %(begun)s and opens_on = %(today)s group by org_id

-- name: move
-- The day that was laid out first stays on record.
update round_slice s set planned_on = coalesce(s.planned_on, s.opens_on), opens_on = m.day, opens_at = m.at
from unnest(%(ordinals)s::int[], %(days)s::date[], %(opens)s::timestamptz[]) as m (ordinal, day, at)
where s.round_id = %(round_id)s and s.ordinal = m.ordinal
