"""Officers and shorthands for the tests of scans and findings."""

from typing import Any

import numpy as np
import orjson
from pyroaring import BitMap

from outreach.governance.actor import Actor
from outreach.governance.permissions import permissions_of
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text
from outreach.labels.keys import label_key
from outreach.labels.sets import change_set
from outreach.labels.slices import write_values
from outreach.runtime import Runtime

HEADER = (
    "纳税人识别号,所属期,优惠代码,享受状态,序号,应纳税所得额,销售额,计税期,在职职工人数,应缴税额,核对名单,"
    "可抵扣进项税额"
)
CITY = 2


def row(tax_no: str, month: int, code: str, state: str = "", **cells: str) -> str:
    """One line of a file of benefits."""
    names = HEADER.split(",")[5:]
    return ",".join([tax_no, str(month), code, state, "1", *(cells.get(name, "") for name in names)])


def verifier(org_id: int = CITY, path: str = "1.2.", *, account: int = 7) -> Actor:
    """Somebody of the tax-type department."""
    powers = permissions_of(["verifier"])
    return Actor(account, "verifier", "核实员", powers, org_id, path, org_id, path)


async def mark(rt: Runtime, household: int, *labels: str) -> None:
    """Labels, with a value as `code=value`."""
    async with rt.db.begin() as conn:
        for label in labels:
            code, _, value = label.partition("=")
            await change_set(conn, label_key(code, value or None), add=BitMap([household]), source="测试")


async def give(rt: Runtime, household: int, **values: int) -> None:
    """Attributes, as stored numbers: money in fen."""
    async with rt.db.begin() as conn:
        for code, value in sorted(values.items()):
            ids, numbers = np.array([household], dtype=np.uint32), np.array([value], dtype=np.int64)
            await write_values(conn, code, ids, numbers, source="测试")


async def findings(rt: Runtime, household: int) -> dict[tuple[str, str], dict[str, Any]]:
    """The current findings of a household by code and direction, evidence opened."""
    rows = await rt.db.fetch(
        "select * from finding where taxpayer_id = %(id)s and is_current order by id", {"id": household}
    )
    vault = open_vault(rt.settings)
    return {
        (row["benefit_code"], row["direction"]): {
            **row,
            "evidence": orjson.loads(
                vault.decrypt("finding", "evidence_enc", row["id"], row["evidence_enc"])
            ),
        }
        for row in rows
    }


async def members(rt: Runtime, expression: str, org_id: int = 1) -> set[int]:
    """Whom an expression of the audience language holds."""
    return set((await evaluate_text(rt, SetCache(), expression, org_id)).members)
