"""Texts that staff write: templates without danger, parts of an SMS, words that must not be sent."""
