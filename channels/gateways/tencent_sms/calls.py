"""A request as the gateway reads it, and who signed it. Source: sheet, headers and TC3-HMAC-SHA256."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from channels.gateways.tencent_sms.refusals import Refusal

TOLERANCE_SECONDS = 300
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/,\s]+)/(\d{4}-\d\d-\d\d)/([a-z0-9]+)/tc3_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request; header names in lower case."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The query, for the control interface."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))


def read_call(scope: Mapping[str, Any], body: bytes) -> Call:
    """An ASGI scope and its body as a call."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Call(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, body)


class Verifier:
    """Knows the secret keys of the accounts by SecretId."""

    def __init__(self, accounts: Mapping[str, str], now: Callable[[], datetime]) -> None:
        self._accounts = accounts
        self._now = now

    def check(self, call: Call) -> None:
        """Raises Refusal unless the call is signed by one of the accounts, now."""
        match = _AUTHORIZATION.fullmatch(call.headers.get("authorization", ""))
        if match is None:
            raise Refusal("AuthFailure.SignatureFailure", "The Authorization header is malformed.")
        secret_id, day, service, names, signature = match.groups()
        stamp = self._check_time(call)
        if datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d") != day:
            raise Refusal(
                "AuthFailure.SignatureFailure", "The date of the Credential differs from X-TC-Timestamp."
            )
        if service != "sms":
            raise Refusal("AuthFailure.SignatureFailure", "The service of the Credential is not sms.")
        if secret_id not in self._accounts:
            raise Refusal("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
        if "x-tc-token" in call.headers:
            raise Refusal("AuthFailure.TokenFailure", "The token is not valid.")
        expected = _sign(call, names.split(";"), str(stamp), day, self._accounts[secret_id])
        if not hmac.compare_digest(signature, expected):
            raise Refusal("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")

    def _check_time(self, call: Call) -> int:
        text = call.headers.get("x-tc-timestamp", "")
        if not re.fullmatch(r"\d{1,11}", text, re.ASCII):
            raise Refusal("MissingParameter", "X-TC-Timestamp is missing or no time stamp.")
        if abs(int(text) - self._now().timestamp()) > TOLERANCE_SECONDS:
            raise Refusal("AuthFailure.SignatureExpire", "The signature has expired.")
        return int(text)


def _sign(call: Call, names: list[str], stamp: str, day: str, secret_key: str) -> str:
    if (
        names != sorted(names)
        or not {"content-type", "host"} <= set(names)
        or not call.headers.keys() >= set(names)
    ):
        raise Refusal("AuthFailure.SignatureFailure", "content-type and host have to be signed.")
    lines = "".join(f"{name}:{call.headers[name].strip().lower()}\n" for name in names)
    parts = (
        call.method,
        call.path,
        call.query_string,
        lines,
        ";".join(names),
        hashlib.sha256(call.body).hexdigest(),
    )
    canonical = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    to_sign = f"TC3-HMAC-SHA256\n{stamp}\n{day}/sms/tc3_request\n{canonical}"
    key = ("TC3" + secret_key).encode()
    for part in (day, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
