"""Errors that staff may see: a code for support, a sentence in Chinese, and what it concerns.

OutreachError            base; code, message (Chinese), details
  InvalidInput           a field, a row or an expression is wrong; the caller can mend it   (HTTP 422)
  NotFound               no such thing within the caller's scope                            (404)
  NotAllowed             the permission or the data scope does not reach                     (403)
  NotAuthenticated       no session, no key, or it has expired                               (401)
  Conflict               the state does not allow it now                                     (409)
  TooMany                a limit is reached; try again later                                 (429)
  Unavailable            a server of ours or a gateway does not answer                       (503)
"""

from typing import Any, ClassVar


class OutreachError(Exception):
    """Base: `code` is stable and English, `message` is one Chinese sentence that says what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(OutreachError):
    """The input is wrong; `details` may hold `field`, `row`, `column`, `suggestion`."""

    status = 422
    code = "invalid_input"


class NotFound(OutreachError):
    """It does not exist, or not within the caller's scope: the two are not told apart."""

    status = 404
    code = "not_found"


class NotAllowed(OutreachError):
    """The caller lacks the permission."""

    status = 403
    code = "not_allowed"


class NotAuthenticated(OutreachError):
    """The caller is unknown."""

    status = 401
    code = "not_authenticated"


class Conflict(OutreachError):
    """The state of the thing forbids the action."""

    status = 409
    code = "conflict"


class TooMany(OutreachError):
    """A limit is reached."""

    status = 429
    code = "too_many"


class Unavailable(OutreachError):
    """A server that we depend on does not answer."""

    status = 503
    code = "unavailable"
