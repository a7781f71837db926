"""Settings of the embedded PostgreSQL, as data; sizes follow the machine's memory.

Durability is never traded: `synchronous_commit` and `fsync` stay on. Logs hold no values of rows: an error's
DETAIL and CONTEXT would quote them (`log_error_verbosity`), parameters of slow statements too.
"""

import os
from collections.abc import Mapping

_MIB = 1 << 20

FIXED: Mapping[str, str] = {
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "min_wal_size": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "work_mem": "32MB",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "2000",
    "log_min_duration_statement": "2s",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}


def tuned_settings(memory: int | None = None) -> dict[str, str]:
    """All settings for a machine with so many bytes of memory (default: this one)."""
    if memory is None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        **FIXED,
        "shared_buffers": _megabytes(memory // 16, 128, 1024),
        "effective_cache_size": _megabytes(memory // 2, 256, 64 * 1024),
        "maintenance_work_mem": _megabytes(memory // 64, 64, 512),
    }


def _megabytes(size: int, least: int, most: int) -> str:
    return f"{min(max(size // _MIB, least), most)}MB"
