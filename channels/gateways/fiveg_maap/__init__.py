"""A simulated China Mobile 5G message platform (CSP and MaaP interface, OMA Network API in XML)."""

from channels.gateways.fiveg_maap.accounts import Account
from channels.gateways.fiveg_maap.simulator import FivegMaapSimulator

__all__ = ["Account", "FivegMaapSimulator"]
