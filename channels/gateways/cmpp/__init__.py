"""A simulated China Mobile gateway (ISMG): strict CMPP 2.0 and 3.0 on one port."""

from channels.gateways.cmpp.account import Account
from channels.gateways.cmpp.simulator import CmppSimulator

__all__ = ["Account", "CmppSimulator"]
