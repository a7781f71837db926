"""Pictures on the simulated file server (sheet section 7)."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from email.policy import HTTP
from html import escape

from channels.gateways.fiveg_maap.reading import Refused, invalid

_KINDS = {"image/jpeg", "image/png"}
_MOST = 2 * 1024 * 1024
_FIELDS = ("Thumbnail", "File")
_KEPT = timedelta(days=30)


class Files:
    """What was uploaded. `base` is where it can be had."""

    def __init__(self) -> None:
        self.base = ""
        self._stored: dict[str, tuple[str, bytes]] = {}

    def upload(self, headers: Mapping[str, str], body: bytes, chatbot_id: str) -> bytes:
        """Take a form with a thumbnail and a file; the answer's XML. Raises Refused."""
        if headers.get("x-3gpp-intended-identity") != chatbot_id or not headers.get("tid"):
            raise invalid("X-3GPP-Intended-Identity, tid")
        if headers.get("terminal-type") != "Chatbot" or headers.get("user-agent") != f"SP/{chatbot_id}":
            raise invalid("Terminal-type, User-Agent")
        parts = _parts(headers.get("content-type", ""), body)
        if tuple(name for name, _, _, _ in parts) != _FIELDS:
            raise invalid("Thumbnail, File")
        infos = "".join(self._store(*part) for part in parts)
        return f'<file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp">{infos}</file>'.encode()

    def find(self, url: str) -> tuple[str, bytes]:
        """Type and bytes of a file. Raises Refused."""
        if url not in self._stored:
            raise Refused(404, "SVC0002", "no such file")
        return self._stored[url]

    def holds(self, url: str) -> bool:
        """Whether a file is there."""
        return url in self._stored

    def _store(self, field: str, name: str, kind: str, data: bytes) -> str:
        if kind not in _KINDS or not 0 < len(data) <= _MOST:
            raise invalid(f"{field}: {kind}")
        url = f"{self.base}/Content/{uuid.uuid4().hex}"
        self._stored[url] = kind, data
        until = (datetime.now(UTC) + _KEPT).isoformat(timespec="seconds")
        return (
            f'<file-info type="{"file" if field == "File" else "thumbnail"}">'
            f"<file-size>{len(data)}</file-size><file-name>{escape(name)}</file-name>"
            f'<content-type>{kind}</content-type><data url="{escape(url)}" until="{until}"/></file-info>'
        )


def _parts(content_type: str, body: bytes) -> list[tuple[str, str, str, bytes]]:
    if not re.match(r"multipart/form-data; ?boundary=", content_type):
        raise invalid("Content-Type")
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found = []
    for part in message.iter_parts():
        name, data = part.get_param("name", "", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(data, bytes):
            found.append((str(name), part.get_filename() or "", part.get_content_type(), data))
    return found
