-- name: by_number
-- The public index of the number itself first; then persons with that identity number or mobile.
select t.id, t.kind, t.name, t.number_kind, t.tax_no_enc, t.org_id, o.name as org_name,
       p.id as person_id, p.name_enc as person_name_enc
from taxpayer t
join org_unit o on o.id = t.org_id
left join role s on s.taxpayer_id = t.id and s.role = 'self'
left join person p on p.id = s.person_id
where t.id in (
        select id from taxpayer where tax_no_bidx = %(tax_no)s
        union
        select r.taxpayer_id from person q join role r on r.person_id = q.id where q.id_no_bidx = %(id_no)s
        union
        select r.taxpayer_id from address a join role r on r.person_id = a.person_id
        where a.bidx = %(mobile)s and a.kind = 'mobile')
  and o.path like (select path from org_unit where id = %(scope)s) || '%%'
order by t.id
limit %(limit)s;

-- name: by_name
select t.id, t.kind, t.name, t.number_kind, t.tax_no_enc, t.org_id, o.name as org_name,
       null::int as person_id, null::bytea as person_name_enc
from taxpayer t
join org_unit o on o.id = t.org_id
where t.name like %(pattern)s
  and o.path like (select path from org_unit where id = %(scope)s) || '%%'
order by similarity(t.name, %(text)s) desc, t.id
limit %(limit)s;

-- name: household
select t.id, t.kind, t.name, t.number_kind, t.tax_no_enc, t.org_id, o.name as org_name, t.industry,
       t.registered_on
from taxpayer t
join org_unit o on o.id = t.org_id
where t.id = %(id)s and o.path like (select path from org_unit where id = %(scope)s) || '%%';

-- name: persons
select p.id, p.name_enc, p.id_no_enc, p.language, p.birth_year, p.special_care,
       array_agg(r.role order by r.rank) as roles, coalesce(bool_or(c.person_id = p.id), false) as is_contact
from (
    select person_id, role,
           array_position(array['self', 'tax_filer', 'finance_head', 'legal_representative', 'invoice_clerk',
                                'agent'], role) as rank
    from role where taxpayer_id = %(id)s
) r
join person p on p.id = r.person_id
left join contact c on c.taxpayer_id = %(id)s
group by p.id
order by is_contact desc, min(r.rank), p.id;

-- name: addresses
select id, person_id, kind, value_enc, usable, unusable_reason, rcs, verified_at
from address where person_id = any(%(ids)s) order by person_id, kind desc;

-- name: opt_outs
select person_id, channel, at from opt_out where person_id = any(%(ids)s) order by channel;
