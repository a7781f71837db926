"""`/api/v1`: what other systems of the bureau use, with keys; the same reads as the console."""
