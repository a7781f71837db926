"""Structured logs: events are named `noun.verb`, one line per batch, never an address or a body."""

import logging
import sys
from typing import Any

import structlog

_FORBIDDEN = frozenset(
    {"address", "mobile", "phone", "email", "openid", "name", "id_no", "tax_no", "text", "body", "password"}
)


def _drop_personal(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # The last line of defence: a field of such a name never reaches a log, whoever wrote it there.
    for key in _FORBIDDEN.intersection(event):
        event[key] = "[withheld]"
    return event


def configure_logs(level: str, as_json: bool) -> None:
    """Set up structlog for this process; output goes to standard error."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not as_json:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _drop_personal,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_log() -> Any:
    """The process's logger."""
    return structlog.get_logger()
