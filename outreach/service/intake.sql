-- name: waiting
-- Replies not taken in yet, with the unit that has to answer: that of the first household whose contact the person is,
-- else of one in which she holds a role (a campaign may choose whom it tells), else the topmost. A number may commit after a later one: so the mark stays ten minutes behind, and what was taken in
-- above it is noted one by one.
select i.id, i.gateway_id, i.person_id, i.kind, i.action, i.text_enc, i.at, g.channel,
       mine.taxpayer_ids, coalesce(mine.org_id, (select id from org_unit where parent_id is null order by id limit 1)) as org_id
from inbound i join gateway g on g.id = i.gateway_id
left join lateral (
    select array_agg(t.id order by t.id) as taxpayer_ids, (array_agg(t.org_id order by t.id))[1] as org_id
    from (select taxpayer_id from contact where person_id = i.person_id
          union select taxpayer_id from role where person_id = i.person_id
              and not exists (select from contact where person_id = i.person_id)) c
    join taxpayer t on t.id = c.taxpayer_id) mine on true
where i.id > (select inbound_id from intake_mark)
  and not exists (select from intake_done d where d.inbound_id = i.id)
order by i.id limit %(limit)s;

-- name: requests
-- The youngest request to confirm that the person of a reply got before it, with the words that left. `asked`: the
-- households that a word may mean, those of this request and those that others still wait for.
with open_request as materialized (
    select i.id as inbound_id, m.id, r.campaign_id, coalesce(w.taxpayer_ids, m.taxpayer_ids) as taxpayer_ids
    from inbound i
    join message m on m.person_id = i.person_id and m.state in (1, 2, 3, 5)
         and m.period = any(array(select distinct x.period from round x join campaign y on y.id = x.campaign_id
                                  where y.kind = 'confirmation' and x.period is not null))
    join round r on r.id = m.round_id
    join campaign c on c.id = r.campaign_id and c.kind = 'confirmation' and c.state <> 'cancelled'
    join lateral (select closes_at from confirmation_matter
                  where campaign_id = c.id order by version desc limit 1) q
         on q.closes_at is null or q.closes_at > business_now()
    left join lateral (select taxpayer_ids from sent_text
                       where message_id = m.id order by at desc limit 1) w on true
    where i.id = any(%(ids)s)
)
select i.id as inbound_id, m.id as message_id, m.round_id, r.campaign_id, s.version_id, w.text_enc,
       coalesce(v.content ->> 'text', v.content ->> 'body', v.content::text) as shown,
       (select array_agg(distinct h)
        from (select unnest(coalesce(w.taxpayer_ids, m.taxpayer_ids)) as h
              union all
              select h from open_request o, unnest(o.taxpayer_ids) as h
              where o.inbound_id = i.id and o.id <> m.id
                and not exists (select from confirmation a
                                where a.campaign_id = o.campaign_id and a.taxpayer_id = h)) one) as asked
from inbound i
join lateral (
    select m.id, m.round_id, m.step, m.taxpayer_ids from message m join round r on r.id = m.round_id
    join campaign c on c.id = r.campaign_id
    where m.person_id = i.person_id and m.period = any(array(select distinct x.period from round x join campaign y on y.id = x.campaign_id
                                where y.kind = 'confirmation' and x.period is not null))
      and m.state in (1, 2, 3, 5) and c.kind = 'confirmation'
      and exists (select from confirmation_matter x where x.campaign_id = c.id)
    order by m.sent_at desc nulls last, m.id desc limit 1) m on true
join round r on r.id = m.round_id
join round_step s on s.round_id = m.round_id and s.step = m.step
join template_version v on v.id = s.version_id
left join lateral (select taxpayer_ids, text_enc from sent_text
                   where message_id = m.id order by at <= i.at desc, at desc limit 1) w on true
where i.id = any(%(ids)s);

-- name: advance
with done as (insert into intake_done (inbound_id) select unnest(%(ids)s::bigint[]) on conflict do nothing),
     mark as (update intake_mark set inbound_id = greatest(inbound_id, coalesce(
                  (select max(id) from inbound where id = any(%(ids)s)
                   and arrived_at < now() - interval '10 minutes'), inbound_id)) returning inbound_id)
delete from intake_done d using mark where d.inbound_id <= mark.inbound_id;
