-- name: canary_facts
-- The canary of a running round while it is watched: whether all of it has left, and what came back. Complaints and
-- refusals count from the moment at which it began, of persons who have a message of the round.
select r.canary_position as persons, r.canary_hold as hold, r.canary_sent_at as sent_at, business_now() as now,
       r.canary_failed_permille as failed_permille, r.canary_complaint_permille as complaint_permille,
       r.canary_opt_out_permille as opt_out_permille, coalesce(c.messages, 0)::int as messages,
       coalesce(c.failed, 0)::int as failed, i.complaint, i.opt_out,
       coalesce(c.planned, 0) = 0 and not exists (
           select from round_step s join recipient p on p.period = r.period and p.round_id = r.id
                and p.first_step = s.step and p.position > s.cursor_position and p.position <= r.canary_position
           where s.round_id = r.id and s.channel not in ('call', 'visit')) as is_out
from round r,
     lateral (select sum(n) as messages, sum(n) filter (where state = 0) as planned,
                     sum(n) filter (where state = 4) as failed
              from message_count where round_id = r.id) c,
     lateral (select count(distinct b.person_id) filter (where b.kind = 'complaint')::int as complaint,
                     count(distinct b.person_id) filter (where b.action = 'opt_out' and b.kind <> 'complaint')::int
                         as opt_out
              from inbound b
              where b.arrived_at >= r.canary_from and (b.kind = 'complaint' or b.action = 'opt_out')
                and exists (select from message m where m.period = r.period and m.person_id = b.person_id
                            and m.round_id = r.id)) i
where r.id = %(round_id)s and r.state = 'running' and r.canary_position is not null and r.canary_verdict is null

-- name: canary_is_out
-- From now on it is watched.
update round set canary_sent_at = business_now() where id = %(round_id)s and canary_sent_at is null

-- name: canary_passed
-- The rest may be cut.
update round set canary_verdict = 'passed' where id = %(round_id)s and canary_verdict is null

-- name: canary_stopped
-- Once, and only while it runs.
update round set state = 'paused', canary_verdict = 'stopped', pause_reason = %(cause)s
where id = %(round_id)s and state = 'running' and canary_verdict is null returning id
