-- name: save
insert into import_mapping (kind, name, columns) values (%(kind)s, %(name)s, %(columns)s)
on conflict (kind, name) do update set columns = excluded.columns;

-- name: load
select columns from import_mapping where kind = %(kind)s and name = %(name)s;

-- name: list
select name, columns from import_mapping where kind = %(kind)s order by name;
