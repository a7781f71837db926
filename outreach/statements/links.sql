-- name: revoke_round
update link set revoked_at = business_now()
where round_id = %(round)s and revoked_at is null;

-- name: alive_of_campaign
select l.token_hash from link l join round r on r.id = l.round_id
where r.campaign_id = %(campaign)s and l.revoked_at is null;

-- name: revoke_some
update link set revoked_at = business_now() where token_hash = any(%(hashes)s) and revoked_at is null;

-- name: count_of_campaign
select count(*)::int as sent,
       count(*) filter (where l.revoked_at is null and l.expires_at > business_now())::int as alive
from link l join round r on r.id = l.round_id
where r.campaign_id = %(campaign)s;

-- name: forget
-- Locked and dated counts live on the link; used-up codes and sessions serve nobody after two days.
with codes as (delete from one_time_code where created_at < now() - interval '2 days' returning 1),
     sessions as (delete from statement_session where expires_at < now() - interval '2 days' returning 1)
select (select count(*) from codes) + (select count(*) from sessions) as n;
