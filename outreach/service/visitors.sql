-- name: visit
-- Of its households those for which she still acts.
select acting_for(l.person_id, l.taxpayer_ids) as taxpayer_ids, l.round_id, l.message_id, r.campaign_id, l.person_id,
       (select max(a.at) from statement_access a
        where a.token_hash = l.token_hash and a.event = 'verified') as verified_at
from link l left join round r on r.id = l.round_id
where l.token_hash = %(hash)s;

-- name: landing
-- A visitor who is asked to answer lands where she can.
select coalesce(c.kind in ('confirmation', 'survey'), false) as answers,
       exists (select from statement s where s.taxpayer_id = any(acting_for(l.person_id, l.taxpayer_ids))) as has_bill
from link l left join round r on r.id = l.round_id left join campaign c on c.id = r.campaign_id
where l.token_hash = %(hash)s;

-- name: reading
-- `own`: households that are the person's own, not those for which she acts.
select p.language, p.special_care,
       array(select t.id from taxpayer t join role r on r.taxpayer_id = t.id
             where t.id = any(acting_for(l.person_id, l.taxpayer_ids)) and t.kind <> 'enterprise' and r.person_id = p.id
               and r.role in ('self', 'legal_representative')) as own
from link l join person p on p.id = l.person_id
where l.token_hash = %(hash)s;

-- name: chunks
select c.set_key, c.data from set_chunk c
join (select distinct key, hi from unnest(%(keys)s::text[], %(his)s::int[]) as x (key, hi)) place
     on place.key = c.set_key and place.hi = c.hi;

-- name: households
-- A natural person's name stands with the person only. A grid is no bureau: the office above it is named.
select t.id, t.name, t.tax_no_enc, t.org_id, coalesce(b.name, o.name) as bureau, p.id as person_id, p.name_enc
from unnest(%(ids)s::int[]) with ordinality as wanted (id, place)
join taxpayer t on t.id = wanted.id join org_unit o on o.id = t.org_id
left join lateral (select a.name from org_unit a
                   where a.id = any(string_to_array(trim(trailing '.' from o.path), '.')::int[]) and a.level <= 4
                   order by a.level desc limit 1) b on true
left join lateral (select p.id, p.name_enc from role r join person p on p.id = r.person_id
                   where r.taxpayer_id = t.id and r.role = 'self' limit 1) p on t.name is null
order by wanted.place;
