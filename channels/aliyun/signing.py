"""ACS3-HMAC-SHA256, the request signature of Aliyun's OpenAPI (signature version 3).

Source: protocol sheet `aliyun_dysms`, section 1; checked against its golden vector and the official SDK.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

_RESERVED = re.compile(rb"[^A-Za-z0-9\-_.~]+")


def percent(text: str | bytes) -> str:
    """RFC 3986 encoding with unreserved characters left alone; a space becomes %20."""
    raw = text.encode() if isinstance(text, str) else text
    # Runs are encoded at once: a body is mostly Chinese, and byte by byte costs ten times as much.
    return _RESERVED.sub(lambda run: b"%" + run[0].hex("%").upper().encode(), raw).decode("ascii")


def encode_pairs(pairs: Mapping[str, str]) -> str:
    """`k=v&k=v` sorted by name: the canonical query and the form body."""
    return "&".join(f"{percent(name)}={percent(pairs[name])}" for name in sorted(pairs))


def sign_request(
    *,
    method: str,
    host: str,
    action: str,
    version: str,
    query: Mapping[str, str],
    body: bytes,
    access_key_id: str,
    access_key_secret: str,
    nonce: str,
    at: datetime,
) -> dict[str, str]:
    """The headers of a signed request to path `/`. A body is an application/x-www-form-urlencoded form."""
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": digest,
        "x-acs-date": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if body:
        headers["content-type"] = "application/x-www-form-urlencoded"
    signed = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    names = ";".join(signed)
    canonical = f"{method}\n/\n{encode_pairs(query)}\n{lines}\n{names}\n{digest}"
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(access_key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={access_key_id},SignedHeaders={names},Signature={signature}"
    )
    return headers
