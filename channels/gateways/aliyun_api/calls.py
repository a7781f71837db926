"""A request as the gateway reads it: headers, query and form. Source: sheet, section 1."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote

_ESCAPES = re.compile(rb"(?:%[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `params` merges query and form, since a parameter may stand in either place."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def params(self) -> dict[str, str]:
        """Query and form together; the query wins."""
        return {**self.form, **self.query}

    @property
    def action(self) -> str:
        """The operation asked for."""
        return self.headers.get("x-acs-action") or self.params.get("Action", "")

    @property
    def version(self) -> str:
        """The API version asked for."""
        return self.headers.get("x-acs-version") or self.params.get("Version", "")


def read_call(scope: Mapping[str, Any], body: bytes) -> Call:
    """An ASGI scope and its body as a call."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return Call(
        scope["method"],
        scope["path"],
        dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        decode_form(body) if is_form else {},
        headers,
        body,
    )


def decode_form(body: bytes) -> dict[str, str]:
    """An application/x-www-form-urlencoded body; a run of escapes at a time, texts being mostly Chinese."""
    pairs = (pair.partition(b"=") for pair in body.split(b"&") if pair)
    return {_decode(name): _decode(value) for name, _, value in pairs}


def _decode(raw: bytes) -> str:
    plain = _ESCAPES.sub(
        lambda run: bytes.fromhex(run[0].replace(b"%", b"").decode()), raw.replace(b"+", b" ")
    )
    return plain.decode("utf-8", "replace")


def canonical(pairs: Mapping[str, str]) -> str:
    """Sorted `k=v`, RFC 3986 encoded."""
    return "&".join(f"{quote(k, safe='-_.~')}={quote(pairs[k], safe='-_.~')}" for k in sorted(pairs))
