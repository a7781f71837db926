"""The codes of a vendor's own, as a technician writes them down from the contract."""

import re

from channels.errors import Fault

_ENTRY = re.compile(r"(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})=(\w+)")
_GAPS = re.compile(r"[,，;；\s]+")


def read_table(text: str) -> dict[int, Fault]:
    """`108=throttled, 0x400=rejected`, codes in decimal or hexadecimal digits. Raises ValueError with the
    entry that is wrong."""
    table = {}
    for entry in filter(None, _GAPS.split(re.sub(r"\s*=\s*", "=", text))):
        found = _ENTRY.fullmatch(entry)
        if found is None or found[2] not in set(Fault):
            raise ValueError(entry)
        table[int(found[1], 0) if found[1].startswith("0x") else int(found[1])] = Fault(found[2])
    return table
