-- name: households
-- Whose contact the person is.
select taxpayer_id from contact where person_id = %(person_id)s;
