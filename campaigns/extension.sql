-- name: extendable_round
-- Only a window that is still open, or has not begun, can be made longer.
select r.id, r.ordinal, r.ends_at from round r
where r.id = %(round_id)s and r.campaign_id = %(campaign_id)s and r.finished_at is null
  and r.state in ('scheduled', 'running', 'paused') and r.ends_at > business_now()

-- name: extend
-- Later only.
update round set ends_at = %(ends_at)s where id = %(round_id)s and ends_at < %(ends_at)s

-- name: sign_again
-- The same signature over the longer window, by the second person; what was signed is kept with it.
with kept as (
    update campaign_review set hash = %(hash)s, covered = %(covered)s
    where campaign_id = %(campaign_id)s and what = 'extension' and decision is null
)
update campaign set approved_hash = %(hash)s, approved_by = %(by)s where id = %(campaign_id)s
