-- name: begin
-- One row for every number: a number that is not known, has no document or no phone makes a link that names
-- nobody, so that the database has the same to do. Whose own number it is comes before a household's contact.
with named as (
    select c.person_id, c.taxpayer_id, false as is_hers
    from taxpayer t join contact c on c.taxpayer_id = t.id where t.tax_no_bidx = %(tax_no)s
    union all
    select c.person_id, c.taxpayer_id, true
    from person p join contact c on c.person_id = p.id where p.id_no_bidx = %(id_no)s
), documented as (
    select distinct on (taxpayer_id, person_id) *
    from named n
    where exists (select from statement s where s.taxpayer_id = n.taxpayer_id)
      and exists (select from address a where a.person_id = n.person_id and a.kind = 'mobile' and a.usable)
    order by taxpayer_id, person_id, is_hers desc
), chosen as (
    select person_id from documented order by is_hers desc, taxpayer_id limit 1
), recorded as (
    insert into statement_access (event, token_hash, network) values ('number', %(hash)s, %(network)s))
insert into link (token_hash, taxpayer_ids, person_id, expires_at, by_number)
select %(hash)s,
       coalesce((select array_agg(taxpayer_id)
                 from (select taxpayer_id from documented join chosen using (person_id)
                       order by taxpayer_id limit %(most)s) household), '{}'),
       (select person_id from chosen), business_now() + %(hours)s * interval '1 hour', true;
