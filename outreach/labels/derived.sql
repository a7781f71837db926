-- name: units
select id, org_id from taxpayer

-- name: kinds
-- Places of labels.keys.KINDS.
select id, case kind when 'enterprise' then 0 when 'individual_business' then 1 else 2 end from taxpayer

-- name: industries
select industry from taxpayer where industry <> '' group by industry order by industry

-- name: by_industry
-- Places of the query above, counted from 1.
select t.id, i.place
from taxpayer t
join (
    select industry, row_number() over (order by industry)::int as place
    from taxpayer where industry <> '' group by industry
) i using (industry)

-- name: reach
-- Bits: places of labels.keys.CHANNELS (sms, rcs, wechat, email), then "reads 5G messages". A phone of which
-- nothing is known yet may be tried with 5G.
select c.taxpayer_id,
       bit_or(case a.kind when 'mobile' then 1 + case when a.rcs is distinct from false then 2 else 0 end
                                               + case when a.rcs then 16 else 0 end
                          when 'openid' then 4 else 8 end)
from contact c join address a using (person_id)
where a.usable
group by c.taxpayer_id

-- name: refused
-- Bits: sms, rcs, wechat, email, all.
select c.taxpayer_id,
       bit_or(case o.channel when 'sms' then 1 when 'rcs' then 2 when 'wechat' then 4 when 'email' then 8
                             else 16 end)
from contact c join opt_out o using (person_id)
group by c.taxpayer_id

-- name: care
select c.taxpayer_id, 0 from contact c join person p on p.id = c.person_id where p.special_care

-- name: stored
select distinct set_key from set_chunk
where starts_with(set_key, 'org:') or starts_with(set_key, %(industry)s);
