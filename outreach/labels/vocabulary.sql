-- name: scope_path
select path from org_unit where id = %(id)s;

-- name: resolve
-- Only what an expression mentions, always fresh: no process holds a stale catalogue.
select 'label' as what, code, name, kind as type, options, 0 as id, '' as path, '' as expression, '' as unit
from label where code = any(%(names)s::text[]) or name = any(%(names)s::text[])
union all
select 'label', code, name, 'flag', '{}', 0, '', '', ''
from finding_term where code = any(%(names)s::text[]) or name = any(%(names)s::text[])
union all
select 'label', code, name, 'value', options, 0, '', '', ''
from document_term where code = any(%(names)s::text[]) or name = any(%(names)s::text[])
union all
select 'attribute', code, name, type, null, 0, '', '', unit
from attribute where code = any(%(names)s::text[]) or name = any(%(names)s::text[])
union all
select 'unit', code, name, '', null, id, path, '', ''
from org_unit where code = any(%(units)s::text[]) or name = any(%(units)s::text[])
union all
select 'segment', '', s.name, '', null, s.id, u.path, s.expression, ''
from segment s join org_unit u on u.id = s.org_id
where s.name = any(%(segments)s::text[]);

-- name: keys_in_ranges
-- The names of the sets that exist in each range, by skipping through the index from one to the next.
with recursive found as (
    select r.low, r.high,
        (select min(c.set_key) from set_chunk c where c.set_key >= r.low and c.set_key < r.high) as set_key
    from unnest(%(lows)s::text[], %(highs)s::text[]) as r (low, high)
    union all
    select f.low, f.high,
        (select min(c.set_key) from set_chunk c where c.set_key > f.set_key and c.set_key < f.high)
    from found f where f.set_key is not null
)
select distinct set_key from found where set_key is not null;

-- name: known_names
-- Read only when a name could not be found, to offer a near one.
(select 'label' as what, code, name from label where not withdrawn)
union all
(select 'label', code, name from finding_term)
union all
(select 'label', code, name from document_term)
union all
(select 'attribute', code, name from attribute where not withdrawn)
union all
(select 'unit', code, name from org_unit where path like %(path)s || '%%' order by level, id limit 2000)
union all
(select 'segment', '', s.name from segment s join org_unit u on u.id = s.org_id
where u.path like %(path)s || '%%' or %(path)s like u.path || '%%' limit 2000);
