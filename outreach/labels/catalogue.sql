-- name: lock
-- Names are unique across both tables, which no constraint can say: one import at a time.
lock table label, attribute in share row exclusive mode;

-- name: foreign_version
select 1 from (
    select catalogue_version, is_local from label
    union all
    select catalogue_version, is_local from attribute
) entry
where not is_local and catalogue_version <> %(version)s
limit 1;

-- name: existing
select 'label' as tbl, code, name, is_local, withdrawn, to_jsonb(label) as body from label
union all
select 'attribute', code, name, is_local, withdrawn, to_jsonb(attribute) from attribute;

-- name: upsert_label
insert into label (code, name, kind, options, category, source, catalogue_version, is_local, description)
values (%(code)s, %(name)s, %(kind)s, %(options)s, %(category)s, %(source)s, %(version)s, %(local)s,
    %(description)s)
on conflict (code) do update set
    name = excluded.name, kind = excluded.kind, options = excluded.options, category = excluded.category,
    source = excluded.source, catalogue_version = excluded.catalogue_version, is_local = excluded.is_local,
    withdrawn = false, description = excluded.description;

-- name: upsert_attribute
insert into attribute (code, name, type, unit, category, source, catalogue_version, is_local, description)
values (%(code)s, %(name)s, %(type)s, %(unit)s, %(category)s, %(source)s, %(version)s, %(local)s,
    %(description)s)
on conflict (code) do update set
    name = excluded.name, type = excluded.type, unit = excluded.unit, category = excluded.category,
    source = excluded.source, catalogue_version = excluded.catalogue_version, is_local = excluded.is_local,
    withdrawn = false, description = excluded.description;

-- name: withdraw_label
update label set withdrawn = true where code = any(%(codes)s::text[]);

-- name: withdraw_attribute
update attribute set withdrawn = true where code = any(%(codes)s::text[]);

-- name: list_labels
-- With the words of confirmed findings and of documents, which stand beside the catalogue (statements/finding_sets.py,
-- statements/holders.py).
select code, name, kind, options, category, source, catalogue_version, is_local, description
from label where not withdrawn
union all
select code, name, 'flag', '{}', '疑点核实', '税种主管部门', '', false, description from finding_term
union all
select code, name, 'value', options, '账单', '出具文书', '', false, description from document_term
order by category, code;

-- name: list_attributes
select code, name, type, unit, category, source, catalogue_version, is_local, description
from attribute where not withdrawn order by category, code;

-- name: attributes
select code, name, type, unit from attribute;
