"""Every adapter by its name. Adding a provider is one module and one word here."""

from channels.base import Adapter

ADAPTERS: dict[str, type[Adapter]] = {}
