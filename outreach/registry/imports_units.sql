-- name: all
select id, parent_id, level, code, name, path from org_unit order by id;

-- name: change
update org_unit u set parent_id = n.parent_id, name = n.name, path = n.path
from unnest(%(ids)s::int[], %(parents)s::int[], %(names)s::text[], %(paths)s::text[])
    as n (id, parent_id, name, path)
where u.id = n.id;
