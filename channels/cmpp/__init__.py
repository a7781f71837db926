"""China Mobile's CMPP 2.0 and 3.0: SMS over long connections, reports and uplinks on the same connections.

Protocol: sheet `cmpp`; set-up: docs/adapters/cmpp.md.
"""

from channels.cmpp.adapter import Cmpp
from channels.cmpp.config import CmppConfig

__all__ = ["Cmpp", "CmppConfig"]
