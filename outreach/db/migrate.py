"""Forward-only migrations: numbered `.sql` files, applied once each under an advisory lock."""

from pathlib import Path

import psycopg

from outreach.logs import get_log

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_640_001


def migration_files() -> list[Path]:
    """All migrations in order."""
    return sorted(FOLDER.glob("[0-9]*.sql"))


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing, one transaction per file; returns the names that were applied.

    `lock_timeout` keeps a migration from queueing all traffic behind itself: it fails and is run again.
    """
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        await connection.execute(
            "create table if not exists schema_migration"
            " (name text primary key, applied_at timestamptz not null default now())"
        )
        rows = await (await connection.execute("select name from schema_migration")).fetchall()
        missing = [path for path in migration_files() if path.name not in {row[0] for row in rows}]
        for path in missing:
            async with connection.transaction():
                await connection.execute("set local lock_timeout = '5s'")
                await connection.execute(path.read_text(encoding="utf-8").encode())
                await connection.execute("insert into schema_migration (name) values (%s)", (path.name,))
            get_log().info("migration.applied", file=path.name)
        await connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))
    return [path.name for path in missing]
