-- name: of_person
select id, number, state, due_on, text_enc, person_id from ticket
where person_id = %(person_id)s order by id desc limit %(limit)s;

-- name: by_number
select id, number, state, due_on, text_enc, person_id from ticket where number = %(number)s;

-- name: answers
select id, ticket_id, at, text_enc, kind = 'told' as is_told from ticket_step
where ticket_id = any(%(ids)s) and kind in ('answered', 'told') order by id;
