"""A made-up town: six org units, twelve taxpayers, the built-in catalogue."""

import numpy as np
from pyroaring import BitMap

from outreach.labels.catalogue import load_builtin
from outreach.labels.keys import kind_key, label_key, org_key, reach_key
from outreach.labels.sets import change_sets
from outreach.labels.slices import write_values

PROVINCE, CITY, NORTH, SOUTH, NORTH_BRANCH, OTHER_CITY = 1, 2, 3, 4, 5, 6
UNITS = [
    (PROVINCE, None, 1, "15", "示例省税务局", "1."),
    (CITY, 1, 2, "1501", "示例市税务局", "1.2."),
    (NORTH, 2, 3, "150102", "北城区税务局", "1.2.3."),
    (SOUTH, 2, 3, "150103", "南城区税务局", "1.2.4."),
    (NORTH_BRANCH, 3, 4, "15010201", "第一分局", "1.2.3.5."),
    (OTHER_CITY, 1, 2, "1502", "邻市税务局", "1.6."),
]
MEMBERS = {NORTH: {1, 2}, SOUTH: {3, 4, 5}, NORTH_BRANCH: {6, 7, 300_000}, OTHER_CITY: {8, 9}}
MUST_FILE, FILED = {1, 2, 3, 6, 7, 8}, {2, 7}
DUE = {1: 40_000, 2: 40_001, 3: 40_001, 6: 1_000_000, 8: 50_000, 9: -100}


async def build_town(rt):
    """Write it."""
    async with rt.db.begin() as conn:
        for unit in UNITS:
            await conn.execute(
                "insert into org_unit (id, parent_id, level, code, name, path)"
                " values (%s, %s, %s, %s, %s, %s)",
                unit,
            )
        await load_builtin(conn)
        sets = {org_key(unit): ids for unit, ids in MEMBERS.items()} | {
            label_key("iit.must_file"): MUST_FILE,
            label_key("iit.filed"): FILED,
            label_key("credit_grade", "A"): {1, 6},
            label_key("credit_grade", "D"): {3},
            label_key("industry", "6510"): {1, 8},
            label_key("industry", "I6310"): {2},
            label_key("industry", "1310"): {3},
            reach_key("sms"): {1, 2, 3, 4, 6, 8},
            kind_key("enterprise"): {4, 5},
        }
        changes = {key: (BitMap(ids), BitMap()) for key, ids in sets.items()}
        await change_sets(conn, changes, source="测试导入")
        ids, values = np.array(list(DUE)), np.array(list(DUE.values()))
        await write_values(conn, "amount_due", ids, values, source="自然人电子税务局")


async def save_segment(rt, name, expression, org_id=PROVINCE):
    """A saved segment of an org unit."""
    await rt.db.execute(
        "insert into segment (name, expression, org_id, created_by)"
        " values (%(name)s, %(text)s, %(org)s, 'test')",
        {"name": name, "text": expression, "org": org_id},
    )
