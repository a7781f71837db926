"""A simulated China Telecom or China Unicom 5G message platform (bot JSON API V1.0.4)."""

from channels.gateways.fiveg_bot.server import FivegBotGateway

__all__ = ["FivegBotGateway"]
