"""Reading what offices really send: GBK text and Excel with title rows, merged headers and mistakes.

A file becomes blocks of columns (`source`), columns are found by name (`mapping`), checked a block at a
time (`numbers`, `contacts`, `values`) in helper processes (`pipeline`), and every row that is refused is
reported with its reason (`report`). What a row means is known by registry and labels, not here.
"""
