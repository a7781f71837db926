"""SMPP 3.4: SMS over long connections to a message centre (SMSC), reports and uplinks on the same ones.

Protocol: sheet `smpp`; set-up: docs/adapters/smpp.md.
"""

from channels.smpp.adapter import Smpp
from channels.smpp.config import SmppConfig

__all__ = ["Smpp", "SmppConfig"]
