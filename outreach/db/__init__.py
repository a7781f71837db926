"""PostgreSQL: pool, queries from `.sql` files, migrations, COPY, group commit."""
