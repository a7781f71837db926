"""5G messages (RCS) through China Mobile's CSP and MaaP interface (OMA RESTful Network API, XML)."""

from channels.fiveg_maap.adapter import FivegMaap
from channels.fiveg_maap.config import FivegMaapConfig
from channels.fiveg_maap.media import Media

__all__ = ["FivegMaap", "FivegMaapConfig", "Media"]
