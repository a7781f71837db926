-- name: ask
-- One open question a round.
insert into second_send (round_id, gateway_id, note, n, asked_by)
values (%(round_id)s, %(gateway_id)s, %(note)s, 0, %(by)s)
on conflict (round_id) where state = 'asked' do nothing returning id

-- name: list_messages
-- What is decided is what was shown: the messages that nobody will look into any more, in the subtree, without
-- those that were meant once before (nobody gets three) and those whose address has changed since.
with listed as (
    insert into second_send_message (message_id, second_send_id)
    select m.id, %(id)s
    from round r
    join message m on m.period = r.period and m.round_id = r.id and m.tried_at is not null and m.state = 1
         and m.not_before is null
    join batch b on b.shard = m.shard and b.id = m.id / 1000
    join org_unit o on o.id = m.org_id and o.path like %(path)s || '%%'
    where r.id = %(round_id)s and (%(gateway_id)s::int is null or b.gateway_id = %(gateway_id)s)
      and m.code is distinct from 'address_changed'
    on conflict do nothing
    returning message_id
)
update second_send set n = (select count(*) from listed) where id = %(id)s returning n

-- name: questions
-- All of a round, the newest first; how many of the messages have been repeated, and how many are unknown still.
select s.id, s.round_id, s.gateway_id, g.name as gateway, s.note, s.n, s.state, s.asked_by, s.asked_at,
       s.decided_by, s.decided_at,
       (select count(*)::int from second_send_message t where t.second_send_id = s.id and t.begun) as begun
from second_send s left join gateway g on g.id = s.gateway_id
where s.round_id = %(round_id)s order by s.id desc

-- name: take_question
-- Locked until the decision is written down.
select s.id, s.round_id, s.n, s.asked_by, r.state as round_state
from second_send s join round r on r.id = s.round_id
where s.id = %(id)s and s.round_id = %(round_id)s and s.state = 'asked' for update of s

-- name: decide
-- By another person: the table refuses the one who asked.
update second_send set state = %(state)s, decided_by = %(by)s, decided_at = business_now() where id = %(id)s

-- name: drop_messages
-- Declined: they may be asked about again.
delete from second_send_message where second_send_id = %(id)s

-- name: grant_messages
-- From now on whoever looks after resting messages repeats them. Those that are still unknown rest no longer;
-- what a receipt has told since stays as it is.
with granted as (
    update second_send_message set granted = true where second_send_id = %(id)s returning message_id
)
update message m set not_before = now()
from granted s join batch b on b.shard = s.message_id / 1000 %% 8 and b.id = s.message_id / 1000
where m.period = b.period and m.shard = b.shard and m.id = s.message_id and m.state = 1 and m.not_before is null

-- name: begin
-- Durable before the repetition leaves.
update second_send_message set begun = true where message_id = any(%(ids)s) and granted

-- name: not_begun
-- The repetition certainly never left.
update second_send_message set begun = false where message_id = any(%(ids)s) and granted
