-- name: contacted
-- Taxpayers named often enough in the days before a moment, by whichever bureau's campaign.
select t.id from message m, unnest(m.taxpayer_ids) as t (id)
where m.period = any(%(periods)s) and m.state between 1 and 5
  and m.sent_at > %(moment)s::timestamptz - %(days)s * interval '1 day'
group by t.id having count(distinct m.round_id) >= %(quota)s
