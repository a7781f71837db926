"""The campaign engine: who, when, by which ladder, and who not."""
