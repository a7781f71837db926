"""Pushes that a secret in their path proves, at every adapter that takes such: who is refused, what fails."""

from collections.abc import Callable

import pytest

from channels.base import Adapter
from channels.errors import WebhookRejected

from . import aliyun, aliyun_rcs, tencent
from .scripted import SECRET, push

OFFLINE = "http://127.0.0.1:9"
MAKERS: dict[str, Callable[..., Adapter]] = {
    "aliyun_sms": aliyun.make_adapter,
    "aliyun_rcs": aliyun_rcs.make_adapter,
    "tencent_sms": tencent.make_adapter,
}
UPLINKS = {"aliyun_sms": "up", "aliyun_rcs": "up", "tencent_sms": "reply"}


@pytest.fixture(params=MAKERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": f"/hooks/7/{SECRET[:-1]}/report"},
        {"path": f"/hooks/7/{SECRET}x/report"},
        {"path": "/hooks/7//report"},
        {"path": f"/hooks/7/{SECRET}"},
        {"path": "report"},
        {"path": ""},
        {"path": "/hooks/7/密钥\ud800/report"},
        {"method": "GET"},
    ],
)
def test_push_without_the_secret(name: str, changes: dict[str, str]) -> None:
    adapter = MAKERS[name](OFFLINE)
    adapter.verify(push([]))
    with pytest.raises(WebhookRejected):
        adapter.verify(push([], **changes))


def test_without_a_configured_secret_nothing_is_trusted(name: str) -> None:
    with pytest.raises(WebhookRejected):
        MAKERS[name](OFFLINE, callback_secret="").verify(push([], path="/hooks/7//report"))


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[1]", b'[{"phone_number":"1"}]', b'[{"mobile":"1"}]', b"[[[[", b"\xff", b"null"],
)
def test_unreadable_push(name: str, body: bytes) -> None:
    adapter = MAKERS[name](OFFLINE)
    for what in ("report", UPLINKS[name]):
        with pytest.raises(WebhookRejected):
            adapter.parse(push(body, what))


def test_unknown_kind_of_push(name: str) -> None:
    with pytest.raises(WebhookRejected):
        MAKERS[name](OFFLINE).parse(push([], "other"))


def test_empty_push_is_acknowledged(name: str) -> None:
    assert MAKERS[name](OFFLINE).parse(push([])).receipts == ()
