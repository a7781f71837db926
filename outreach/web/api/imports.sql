-- name: newest
-- Before an upload: whatever this caller begins from now on has a higher number.
select coalesce(max(id), 0) as id from import_file where by = %(by)s;

-- name: begun
select id from import_file where by = %(by)s and sha256 = %(sha256)s and id > %(before)s order by id limit 1;
