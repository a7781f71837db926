-- name: lock
-- One refresh at a time: the later one must read what the earlier one's caller has committed.
select pg_advisory_xact_lock(%(lock)s)

-- name: units
-- As below: pairs (taxpayer, group) in one value, because single rows cost more to send than to read.
select string_agg(int4send(id) || int4send(org_id), ''::bytea) from taxpayer

-- name: kinds
-- Places of labels.keys.KINDS.
select string_agg(
    int4send(id) || int4send(case kind when 'enterprise' then 0 when 'individual_business' then 1 else 2 end),
    ''::bytea)
from taxpayer

-- name: industries
select industry from taxpayer where industry <> '' group by industry order by industry

-- name: by_industry
-- Places of the query above, counted from 1.
select string_agg(int4send(t.id) || int4send(i.place), ''::bytea)
from taxpayer t
join (
    select industry, row_number() over (order by industry)::int as place
    from taxpayer where industry <> '' group by industry
) i using (industry)

-- name: reach
-- Bits: places of labels.keys.CHANNELS (sms, rcs, wechat, email, wecom, dingtalk), then "reads 5G messages". A phone of which
-- nothing is known yet may be tried with 5G. A taxpayer has a pair for each address.
select string_agg(
    int4send(c.taxpayer_id)
    || int4send(case a.kind when 'mobile' then 1 + case when a.rcs is distinct from false then 2 else 0 end
                                                 + case when a.rcs then 64 else 0 end
                            when 'openid' then 4 when 'email' then 8
                            when 'wecom_userid' then 16 else 32 end),
    ''::bytea)
from contact c join address a using (person_id)
where a.usable

-- name: refused
-- Bits: sms, rcs, wechat, email, wecom, dingtalk, all, then the topics in the order of labels.keys.TOPICS. A
-- taxpayer has a pair for each refusal; who wants no calls is in none of these sets.
select string_agg(
    int4send(c.taxpayer_id)
    || int4send(case o.channel when 'sms' then 1 when 'rcs' then 2 when 'wechat' then 4 when 'email' then 8
                               when 'wecom' then 16 when 'dingtalk' then 32 when 'all' then 64
                               when 'topic:policy' then 128 when 'topic:reminder' then 256
                               when 'topic:bill' then 512 when 'topic:survey' then 1024
                               when 'topic:training' then 2048 else 0 end),
    ''::bytea)
from contact c join opt_out o using (person_id)

-- name: care
select string_agg(int4send(c.taxpayer_id) || int4send(0), ''::bytea)
from contact c join person p on p.id = c.person_id
where p.special_care

-- name: stored
select set_key, max(hi) as hi from set_chunk where starts_with(set_key, %(prefix)s) group by set_key
