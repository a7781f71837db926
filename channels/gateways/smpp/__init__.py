"""A simulated short message centre (SMSC): strict SMPP 3.4."""

from channels.gateways.smpp.simulator import SmppSimulator
from channels.gateways.smpp.wire import Account

__all__ = ["Account", "SmppSimulator"]
