"""Labels, attributes and audiences: everything that can be true of a taxpayer is a set.

What others call (`source` is a Runtime or a connection inside a transaction; `cache` is the process's one
`SetCache`; every evaluation is cut to the subtree of `scope_org_id`):

    keys.label_key(code, value=None), keys.org_key(id), keys.reach_key(channel), ...   names of sets
    sets.change_sets(conn, {key: (add, remove)}, source=, as_of=, import_id=) -> {key: Change}
    sets.change_set(conn, key, add=, remove=, source=, as_of=, import_id=) -> Change
    sets.replace_set(conn, key, members, universe=, source=, as_of=, import_id=) -> Change
    slices.write_values(conn, code, ids, values, source=, as_of=, import_id=, clear_missing=) -> Change
    slices.clear_values(conn, code, ids, source=, as_of=, import_id=) -> Change
    slices.read_values(source, cache, code, ids) -> (values, present)
    slices.read_many(source, cache, codes, ids) -> {code: (values, present)}
    slices.sum_values(source, cache, code, members) -> (sum, count)
    units.to_stored(type, value), from_stored(type, stored), to_text(type, stored)    yuan <-> fen and so on
    catalogue.load_builtin(conn), import_labels(conn, rows, version=, local=), import_attributes(...)
    catalogue.list_catalogue(conn), load_attributes(conn) -> {code: Attribute}
    language.parse(text) -> Tree;  text.to_text(tree);  blocks.to_blocks(tree), blocks.from_blocks(data)
    evaluate.count(source, cache, text, scope_org_id) -> int
    evaluate.evaluate_text(source, cache, text, scope_org_id) -> Frozen(members, text, versions)
    evaluate.evaluate_texts(source, cache, {name: text}, scope_org_id) -> {name: Frozen}, one snapshot
    evaluate.check_text(source, text, scope_org_id=None) -> text in codes
    evaluate.scope_set(source, cache, scope_org_id) -> FrozenBitMap
    explain.explain(source, cache, text, scope_org_id, taxpayer_id) -> Explanation
    cache.SetCache(limit_bytes=...).load(source, keys) -> {key: FrozenBitMap}
"""
