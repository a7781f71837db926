-- name: audiences_of
-- The waves that have still to begin.
select r.segment, c.segment as campaign_segment, c.org_id
from round r join campaign c on c.id = r.campaign_id
where c.id = %(campaign_id)s and r.state = 'scheduled' order by r.ordinal
