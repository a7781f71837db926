"""From a number to a link: who has none, because an SMS carries none, finds her documents by herself.

The number is a 统一社会信用代码 or that of an identity document. Others know it too, so it proves nothing: it
makes a link such as a message carries, and the code goes to the phone of record of whoever is told about the
household. A number that is not known makes a link as well, which opens nothing.
"""

from outreach.db.sql import load_queries
from outreach.governance.vault import open_vault
from outreach.imports.cells import normalise
from outreach.registry.people import ID_NO_PURPOSE, TAX_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.statements.access import network_of
from outreach.statements.links import new_tokens, token_hash

_SQL = load_queries(__file__)
LINK_HOURS = 24
MOST_HOUSEHOLDS = 50
_SHORTEST, _LONGEST = 6, 30


def plain_number(typed: str) -> str:
    """A number as it is kept; empty for what cannot be one."""
    number = normalise(typed)
    return number if _SHORTEST <= len(number) <= _LONGEST and number.isprintable() else ""


async def begin_by_number(rt: Runtime, number: str, remote: str) -> str:
    """Make a link for a number as `plain_number` gives it; its token, whoever it leads to, or to nobody."""
    vault = open_vault(rt.settings)
    (token,) = new_tokens(1)
    params = {
        "hash": token_hash(vault, token),
        "tax_no": vault.blind_index(TAX_NO_PURPOSE, number),
        "id_no": vault.blind_index(ID_NO_PURPOSE, number),
        "network": network_of(remote),
        "hours": LINK_HOURS,
        "most": MOST_HOUSEHOLDS,
    }
    await rt.db.execute(_SQL["begin"], params)
    return token
