"""Who may do what, where, and what was done: accounts, roles, data scope, sessions, keys, the audit chain."""
