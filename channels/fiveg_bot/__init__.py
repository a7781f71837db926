"""5G messages (RCS) through the bot JSON API V1.0.4 of China Telecom and China Unicom."""

from channels.fiveg_bot.adapter import FivegBot
from channels.fiveg_bot.config import FivegBotConfig
from channels.fiveg_bot.media import Media
from channels.fiveg_bot.tokens import Token

__all__ = ["FivegBot", "FivegBotConfig", "Media", "Token"]
