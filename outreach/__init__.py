"""Outreach: how a tax bureau reaches the people it serves."""
