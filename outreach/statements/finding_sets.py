"""The sets of confirmed findings, as the audience language names them: `finding.dpf_small_exempt.unclaimed`.

Only a verification makes a member, and whatever ends a verification takes her out in the same transaction.
The words stand in a table of their own, beside the label catalogue: imports, surveys and events write labels,
and cannot write these. So a campaign that names a finding cannot reach a household whose finding nobody has
verified (疑点未验证).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.keys import label_key
from outreach.labels.sets import change_sets
from outreach.statements.rules import catalogue
from outreach.statements.scan import DIRECTIONS

_SQL = load_queries(__file__)
SOURCE = "疑点核实"
"""What the change log of the sets names."""


class Touched(NamedTuple):
    """A household about whose finding something was decided."""

    code: str
    direction: str
    taxpayer_id: int


def term_of(code: str, direction: str) -> str:
    """The word of the audience language for the confirmed findings of a benefit in a direction."""
    return f"finding.{code.lower()}.{direction}"


def term_name(code: str, direction: str) -> str:
    """The same word in Chinese."""
    return f"{DIRECTIONS[direction]}·{catalogue()[code].name}"


async def refresh_sets(conn: Connection, touched: Collection[Touched]) -> None:
    """Bring the sets up to date for these households, in the caller's transaction and after its decisions."""
    if not touched:
        return
    params = {
        "homes": [one.taxpayer_id for one in touched],
        "codes": [one.code for one in touched],
        "directions": [one.direction for one in touched],
    }
    rows = await (await conn.execute(_SQL["members"], params)).fetchall()
    members: dict[str, BitMap] = defaultdict(BitMap)
    spoken: dict[str, BitMap] = defaultdict(BitMap)
    for row in rows:
        members[label_key(term_of(row["benefit_code"], row["direction"]))].add(row["taxpayer_id"])
    for one in touched:
        spoken[label_key(term_of(one.code, one.direction))].add(one.taxpayer_id)
    pieces = {key: (members[key], everybody - members[key]) for key, everybody in spoken.items()}
    await change_sets(conn, pieces, source=SOURCE)


async def name_terms(conn: Connection, terms: Iterable[tuple[str, str]]) -> None:
    """Make the words known to the vocabulary; `terms` are pairs of benefit code and direction."""
    listed = sorted(terms)
    params = {
        "codes": [term_of(*term) for term in listed],
        "names": [term_name(*term) for term in listed],
        "descriptions": [f"{catalogue()[code].legal_doc}；只含税种主管部门已核实的户" for code, _ in listed],
    }
    await conn.execute(_SQL["name_terms"], params)
