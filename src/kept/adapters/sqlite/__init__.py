"""The log on SQLite: one file, many processes (WAL, `synchronous=FULL`, immediate write transactions)."""
