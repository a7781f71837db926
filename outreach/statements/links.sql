-- name: revoke_round
update link set revoked_at = business_now()
where round_id = %(round)s and revoked_at is null;

-- name: revoke_campaign
update link set revoked_at = business_now()
from round
where round.id = link.round_id and round.campaign_id = %(campaign)s and link.revoked_at is null;

-- name: forget
-- Locked and dated counts live on the link; used-up codes and sessions serve nobody after two days.
with codes as (delete from one_time_code where created_at < now() - interval '2 days' returning 1),
     sessions as (delete from statement_session where expires_at < now() - interval '2 days' returning 1)
select (select count(*) from codes) + (select count(*) from sessions) as n;
