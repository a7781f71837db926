"""Pictures, sounds and films on the platform (protocol section 5)."""

import hashlib
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from channels.gateways.fiveg_bot.schema import FILE_SIZE, MEDIA_URL, Violation

FILE_TYPE, FILE_MISSING, EMPTY_FILE, EXPIRED, BAD_REQUEST = 40005, 41005, 44001, 40022, 20003
_KB, _MB = 1024, 1024 * 1024
_MOST = {
    **dict.fromkeys(("image/jpeg", "image/jpg", "image/png"), 2 * _MB),
    **dict.fromkeys(("audio/amr", "audio/mp3", "audio/mpeg", "audio/m4a", "audio/mp4"), 5 * _MB),
    **dict.fromkeys(("video/mp4", "video/webm"), 10 * _MB),
}
_THUMBNAIL = 200 * _KB


@dataclass(frozen=True, slots=True)
class Stored:
    """A file on the platform. `until` is Unix time, None for ever."""

    name: str
    content_type: str
    data: bytes
    until: float | None


class Files:
    """What was uploaded. `keep_seconds` is the life of a temporary file."""

    def __init__(self, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        self._stored: dict[str, Stored] = {}
        self.base = ""

    def upload(self, mode: str, content_type: str, body: bytes) -> dict[str, Any]:
        """Take the file parts of a form, whatever their names. Raises Violation."""
        if mode not in {"perm", "temp"}:
            raise Violation(BAD_REQUEST, "uploadMode")
        parts = _parts(content_type, body)
        if not parts:
            raise Violation(FILE_MISSING, "file")
        until = time.time() + self._keep_seconds if mode == "temp" else None
        found = [self._store(field, Stored(name, kind, data, until)) for field, name, kind, data in parts]
        return {"fileInfo": found, "fileCount": len(found), "totalCount": len(self._stored)}

    def find(self, url: str) -> Stored:
        """A file by its URL. Raises Violation."""
        stored = self._stored.get(url)
        if stored is None:
            raise Violation(MEDIA_URL, url)
        if stored.until is not None and stored.until < time.time():
            raise Violation(EXPIRED, url)
        return stored

    def delete(self, url: str) -> dict[str, Any]:
        """Forget a file. Raises Violation."""
        mode = "temp" if self.find(url).until is not None else "perm"
        del self._stored[url]
        return {"deleteMode": mode, "fileCount": 1, "totalCount": len(self._stored)}

    def _store(self, field: str, file: Stored) -> dict[str, Any]:
        most = _MOST.get(file.content_type)
        if most is None:
            raise Violation(FILE_TYPE, file.content_type)
        if not file.data:
            raise Violation(EMPTY_FILE, file.name)
        if len(file.data) > (_THUMBNAIL if field.lower() == "thumbnail" else most):
            raise Violation(FILE_SIZE, file.name)
        url = f"{self.base}/s/{uuid.uuid4().hex}"
        self._stored[url] = file
        info = {
            "url": url,
            "fileName": file.name,
            "contentType": file.content_type,
            "fileSize": len(file.data),
        }
        if file.until is not None:
            info["until"] = datetime.fromtimestamp(file.until, UTC).isoformat(timespec="seconds")
        digest = hashlib.sha256(file.data).hexdigest()
        return {**info, "fileHashAlgorithm": "sha256", "fileHashValue": digest}


def _parts(content_type: str, body: bytes) -> list[tuple[str, str, str, bytes]]:
    """Field name, file name, type and bytes of each file in a form."""
    if not content_type.startswith("multipart/form-data"):
        raise Violation(FILE_MISSING, "content-type")
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found = []
    for part in message.iter_parts():
        name = part.get_param("name", "", header="content-disposition")
        file_name, data = part.get_filename(), part.get_payload(decode=True)
        if file_name and isinstance(data, bytes):
            found.append((str(name), file_name, part.get_content_type(), data))
    return found
