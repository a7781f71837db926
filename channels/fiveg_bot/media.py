"""Pictures of cards: they live on the platform, which reviews them, and a card must state type and size."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from channels.cards import ContentError
from channels.errors import Fault, GatewayError
from channels.fiveg_bot.client import BotClient
from channels.fiveg_bot.codes import FAULT_OF, error_code, read_json
from channels.http import MaybeSent, NotSent, Response

IMAGE_BYTES = 2 * 1024 * 1024
_REMEMBERED = 256
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


@dataclass(frozen=True, slots=True)
class Media:
    """A picture that the platform keeps; `size` in bytes."""

    url: str
    content_type: str
    size: int

    def in_card(self) -> dict[str, Any]:
        """The `media` object of a card, but for its height."""
        return {"mediaUrl": self.url, "mediaContentType": self.content_type, "mediaFileSize": self.size}


def image_type(data: bytes) -> str:
    """`image/jpeg` or `image/png` by the first bytes, otherwise an empty string."""
    return next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "")


class MediaLibrary:
    """Describes pictures by asking the platform once for each (protocol section 5)."""

    def __init__(self, client: BotClient) -> None:
        self._client = client
        self._known: dict[str, Media] = {}
        self._one_at_a_time = asyncio.Lock()

    async def describe(self, url: str, deadline: float) -> Media:
        """A picture on the platform. Raises ContentError and what `BotClient.call` raises."""
        known = self._known.get(url)
        if known is not None:
            return known
        async with self._one_at_a_time:
            if url not in self._known:
                asked = {"url": url}
                response = await self._client.call(
                    "GET", "/medias/download", headers=asked, deadline=deadline
                )
                self._remember(_read_image(url, response))
            return self._known[url]

    async def upload(self, name: str, data: bytes, permanent: bool) -> Media:
        """Hand a picture to the platform. Raises GatewayError, ContentError."""
        kind = image_type(data)
        if not kind or len(data) > IMAGE_BYTES:
            raise ContentError("image_type" if not kind else "image_too_large", Fault.UNSUPPORTED)
        boundary = secrets.token_hex(16)
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "uploadMode": "perm" if permanent else "temp",
        }
        try:
            response = await self._client.call(
                "POST", "/medias/upload", _form(boundary, name, kind, data), headers
            )
        except (NotSent, MaybeSent) as error:
            raise GatewayError(Fault.UNREACHABLE, "上传图片时连接不上 5G 消息平台", str(error)) from error
        media = Media(_uploaded_url(response), kind, len(data))
        self._remember(media)
        return media

    def _remember(self, media: Media) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[media.url] = media


def _read_image(url: str, response: Response) -> Media:
    kind = image_type(response.body)
    if response.status == 200 and kind:
        return Media(url, kind, len(response.body))
    code = error_code(read_json(response))
    fault = FAULT_OF.get(code, Fault.UNREACHABLE) if code else Fault.REJECTED
    if response.status >= 500 or fault.touches == "gateway":
        raise NotSent(f"media_{code or response.status}")
    raise ContentError(str(code) if code else "image_unreadable")


def _form(boundary: str, name: str, kind: str, data: bytes) -> bytes:
    safe = "".join(c for c in name if c.isprintable() and c not in '"\\') or "image"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{safe}"\r\n'
    return f"{head}Content-Type: {kind}\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()


def _uploaded_url(response: Response) -> str:
    document = read_json(response)
    code, files = error_code(document), document.get("fileInfo")
    first = files[0] if isinstance(files, list) and files else files
    url = first.get("url") if isinstance(first, dict) else None
    if code or not isinstance(url, str) or not url:
        shown = code if code is not None else f"HTTP {response.status}"
        fault = FAULT_OF.get(code or 0, Fault.REJECTED)
        raise GatewayError(fault, f"平台没有收下图片：返回 {shown}", str(shown))
    return url
