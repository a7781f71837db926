"""Pictures of cards (section 7): they live on the file server, and a card must state type and size."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from channels.cards import ContentError
from channels.errors import Fault, GatewayError
from channels.fiveg_bot.media import IMAGE_BYTES, image_type
from channels.fiveg_maap.answers import read_answer
from channels.fiveg_maap.client import MaapClient
from channels.http import MaybeSent, NotSent, Response

_REMEMBERED = 256
_Part = tuple[str, str, str, bytes]


@dataclass(frozen=True, slots=True)
class Media:
    """A picture that the platform keeps; `size` in bytes, `until` as the platform wrote it."""

    url: str
    content_type: str
    size: int
    until: str = ""

    def in_card(self) -> dict[str, Any]:
        """The `media` object of a card, but for its height."""
        return {"mediaUrl": self.url, "mediaContentType": self.content_type, "mediaFileSize": self.size}


class MediaLibrary:
    """Describes pictures by fetching each once from the file server."""

    def __init__(self, client: MaapClient) -> None:
        self._client = client
        self._origin = _origin(client.config.files)
        self._known: dict[str, Media] = {}
        self._one_at_a_time = asyncio.Lock()

    async def describe(self, url: str, deadline: float) -> Mapping[str, Any]:
        """A picture's `media`. Raises ContentError, and what `MaapClient.call` raises."""
        # Our digest goes with the request, so it is asked of nobody but the file server.
        if _origin(url) != self._origin:
            raise ContentError("image_elsewhere", place="image_url")
        async with self._one_at_a_time:
            if url not in self._known:
                bot = {"X-3GPP-Intended-Identity": self._client.config.chatbot_id}
                response = await self._client.call("GET", url, headers=bot, deadline=deadline)
                self._remember(_read_image(url, response))
            return self._known[url].in_card()

    async def upload(self, name: str, data: bytes, thumbnail: bytes) -> Media:
        """Hand a picture and its thumbnail to the platform. Raises GatewayError, ContentError."""
        kinds = image_type(data), image_type(thumbnail)
        if not all(kinds) or len(data) > IMAGE_BYTES:
            raise ContentError("image_type" if not all(kinds) else "image_too_large", Fault.UNSUPPORTED)
        boundary, bot = secrets.token_hex(16), self._client.config.chatbot_id
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "X-3GPP-Intended-Identity": bot,
            "Terminal-type": "Chatbot",
            "tid": secrets.token_hex(16),
        }
        parts = (("Thumbnail", f"t-{name}", kinds[1], thumbnail), ("File", name, kinds[0], data))
        body = b"".join(_part(boundary, part) for part in parts) + f"--{boundary}--\r\n".encode()
        try:
            response = await self._client.call("POST", self._client.config.files, body, headers)
        except (NotSent, MaybeSent) as error:
            raise GatewayError(Fault.UNREACHABLE, "上传图片时连接不上文件服务器", str(error)) from error
        media = read_upload(response)
        self._remember(media)
        return media

    def _remember(self, media: Media) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[media.url] = media


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.lower()


def _read_image(url: str, response: Response) -> Media:
    kind = image_type(response.body)
    if response.status == 200 and kind:
        return Media(url, kind, len(response.body))
    if response.status in {401, 403} or response.status >= 500:
        raise NotSent(f"media_{response.status}")
    raise ContentError("image_unreadable", place="image_url")


def _part(boundary: str, part: _Part) -> bytes:
    field, name, kind, data = part
    safe = "".join(c for c in name if c.isprintable() and c not in '"\\') or "image"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{safe}"\r\n'
    return f"{head}Content-Type: {kind}\r\n\r\n".encode() + data + b"\r\n"


def read_upload(response: Response) -> Media:
    """The picture that the file server has taken. Raises GatewayError."""
    document = read_answer(response)
    infos = [info for info in document.all("file-info") if info.attributes.get("type") == "file"]
    data = infos[0].find("data") if infos else None
    url = data.attributes.get("url", "") if data is not None else ""
    size = infos[0].value("file-size") if infos else ""
    if not 200 <= response.status < 300 or data is None or not url or not size.isdecimal():
        fault = Fault.UNAUTHORIZED if response.status in {401, 403} else Fault.REJECTED
        told = f"http_{response.status}"
        raise GatewayError(fault, f"文件服务器没有收下图片（{told}）", told)
    return Media(url, infos[0].value("content-type"), int(size), data.attributes.get("until", ""))
