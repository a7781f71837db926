"""Channels: how bytes reach a provider and come back. A pure library that imports nothing of ours."""
