-- name: archived_round
-- What was kept of a round when its rows left for the archive; no row: they are here.
select a.recipients, a.households, a.sums, a.reached
from round_archive a join period_archive p on p.period = a.period
where a.round_id = %(round_id)s and p.state = 'archived'
