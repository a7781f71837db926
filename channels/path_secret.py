"""Pushes that are not signed: a segment of their path, `/hooks/{gateway}/{secret}/{what}`, is the proof."""

import hmac

from channels.base import WebhookRequest
from channels.errors import WebhookRejected


def verify_path(request: WebhookRequest, secret: str) -> None:
    """Check the secret of a push; an empty one proves nothing. Raises WebhookRejected."""
    given, _ = split_path(request.path)
    if not secret or not hmac.compare_digest(given.encode(errors="replace"), secret.encode()):
        raise WebhookRejected("wrong callback secret")
    if request.method != "POST":
        raise WebhookRejected("a push is a POST")


def split_path(path: str) -> tuple[str, str]:
    """The last two segments: the secret, and what is pushed."""
    segments = path.rsplit("/", 2)
    return (segments[-2], segments[-1]) if len(segments) == 3 else ("", "")
