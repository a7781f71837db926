-- name: campaign_of
-- The campaign within the caller's scope.
select c.id, c.done_segment from campaign c join org_unit o on o.id = c.org_id, org_unit scope
where c.id = %(campaign_id)s and scope.id = %(scope)s
  and (o.path like scope.path || '%%' or scope.path like o.path || '%%')

-- name: sets_of
-- The audiences first, then what falls out of each before the control group, and the control group itself.
select s.round_id, s.kind, s.reason, s.data from round_set s join round r on r.id = s.round_id
where r.campaign_id = %(campaign_id)s
  and (s.kind = 'audience'
       or s.kind = 'exclusion' and s.reason in ('already_done', 'disputed', 'exempt', 'opted_out', 'held_out'))
order by s.round_id, s.ordinal
