"""Who is served: org units, taxpayers, persons and their roles, addresses, consent, and their imports."""
