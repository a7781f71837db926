-- name: waiting
-- Replies not taken in yet, with the unit that has to answer: that of the person's first household, else the
-- topmost. A number may commit after a later one: so the mark stays ten minutes behind, and what was taken in
-- above it is noted one by one.
select i.id, i.gateway_id, i.person_id, i.kind, i.action, i.text_enc, i.at, g.channel,
       mine.taxpayer_ids, coalesce(mine.org_id, (select id from org_unit where parent_id is null order by id limit 1)) as org_id
from inbound i join gateway g on g.id = i.gateway_id
left join lateral (
    select array_agg(t.id order by t.id) as taxpayer_ids, (array_agg(t.org_id order by t.id))[1] as org_id
    from contact c join taxpayer t on t.id = c.taxpayer_id where c.person_id = i.person_id) mine on true
where i.id > (select inbound_id from intake_mark)
  and not exists (select from intake_done d where d.inbound_id = i.id)
order by i.id limit %(limit)s;

-- name: requests
-- The youngest request to confirm that the person of a reply got before it. What was shown to her is the filed
-- text of the version that was sent.
select i.id as inbound_id, m.id as message_id, m.round_id, m.taxpayer_ids, r.campaign_id, s.version_id,
       coalesce(v.content ->> 'text', v.content ->> 'body', v.content::text) as shown
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
where i.id = any(%(ids)s);

-- name: advance
with done as (insert into intake_done (inbound_id) select unnest(%(ids)s::bigint[]) on conflict do nothing),
     mark as (update intake_mark set inbound_id = greatest(inbound_id, coalesce(
                  (select max(id) from inbound where id = any(%(ids)s)
                   and arrived_at < now() - interval '10 minutes'), inbound_id)) returning inbound_id)
delete from intake_done d using mark where d.inbound_id <= mark.inbound_id;
