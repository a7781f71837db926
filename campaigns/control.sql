-- name: change_campaign_state
-- Only from a state that allows it; no message of a campaign that does not run leaves (gate.sql).
update campaign set state = %(state)s where id = %(campaign_id)s and state = any(%(from)s) returning id

-- name: cancel_rounds
-- What has not left is given up by the next tick.
update round set state = 'cancelled' where campaign_id = %(campaign_id)s and state in ('scheduled', 'running', 'paused')
