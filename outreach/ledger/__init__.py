"""The delivery ledger: what was meant, what left, what arrived (docs/delivery.md)."""
