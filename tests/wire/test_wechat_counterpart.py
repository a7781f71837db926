"""wechatpy, an implementation by other people: its client against our simulator, its crypto against ours."""

import asyncio
from typing import Any

import pytest
from wechatpy import WeChatClient, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException, WeChatClientException
from wechatpy.utils import WeChatSigner, check_signature

from channels.base import DeliveryState, InboundKind, WebhookRequest
from channels.errors import WebhookRejected
from channels.gateways.wechat_official import Account, WechatOfficialSimulator
from channels.gateways.wechat_official.pushes import encrypt, sign
from channels.wechat_official import WechatOfficial

from .clock import LONGEST
from .conformance import Bench
from .wechat_official import FATES, NOTICE, make_config, sim_of, wechat_bench

bench = wechat_bench
ACCOUNT = Account()
CRYPTO = WeChatCrypto(ACCOUNT.callback_token, ACCOUNT.encoding_aes_key, ACCOUNT.app_id)
DATA = {"thing1": {"value": "汇算清缴"}, "thing2": {"value": "请于六月三十日前办理"}}


class Client(WeChatClient):  # type: ignore[misc]
    """wechatpy's client on another host; it uses the classic token."""

    def __init__(self, base: str) -> None:
        self.API_BASE_URL = f"{base}/cgi-bin/"
        super().__init__(ACCOUNT.app_id, ACCOUNT.app_secret, timeout=LONGEST)

    def fetch_access_token(self) -> Any:
        asked = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret}
        return self._fetch_access_token(f"{self.API_BASE_URL}token", params=asked)


@pytest.fixture
async def client(bench: Bench) -> Client:
    adapter = bench.adapter
    assert isinstance(adapter, WechatOfficial)
    return Client(adapter._config.api_base)


async def send(client: Client, openid: str, **changes: Any) -> Any:
    asked = {"template_id": NOTICE, "data": DATA, "url": "https://tax.example.cn", **changes}
    return await asyncio.to_thread(client.message.send_template, openid, **asked)


async def test_its_client_sends(bench: Bench, client: Client) -> None:
    answer = await send(client, "oTaxpayer_000001")
    [entry] = bench.simulator.books.entries
    assert (answer["errcode"], str(answer["msgid"]), entry.address) == (0, entry.ref, "oTaxpayer_000001")
    assert entry.text == "汇算清缴请于六月三十日前办理"
    page = {"appid": "wx0000000000000001", "pagepath": "pages/index?id=1"}
    assert (await send(client, "oTaxpayer_000002", mini_program=page))["errcode"] == 0
    templates = await asyncio.to_thread(client.template.get_all_private_template)
    assert NOTICE in {template["template_id"] for template in templates["template_list"]}


@pytest.mark.parametrize(
    ("openid", "changes", "code"),
    [
        ("13800138000", {}, 40003),
        ("oTaxpayer_1", {"template_id": "no"}, 40037),
        ("oTaxpayer_1", {"data": {**DATA, "thing1": {"value": "长" * 21}}}, 47003),
        ("oTaxpayer_1", {"data": {**DATA, "thing1": {"value": ""}}}, 47003),
        ("oTaxpayer_1", {"data": {"thing1": {"value": "甲"}}}, 47003),
        ("oTaxpayer_1", {"mini_program": {"appid": "wx1", "pagepath": "/ 不"}}, 41030),
        (f"oX1380000{FATES['reject']}", {}, 43004),
    ],
)
async def test_its_client_meets_the_rules(
    bench: Bench, client: Client, openid: str, changes: dict[str, Any], code: int
) -> None:
    with pytest.raises(WeChatClientException) as caught:
        await send(client, openid, **changes)
    assert caught.value.errcode == code
    assert " rid: " in caught.value.errmsg
    assert not bench.simulator.books.entries


async def test_its_client_renews_a_stale_token(bench: Bench, client: Client) -> None:
    await send(client, "oTaxpayer_000001")
    sim_of(bench).tokens.expire()
    assert (await send(client, "oTaxpayer_000002"))["errcode"] == 0


async def test_it_reads_what_the_simulator_pushes(bench: Bench, client: Client) -> None:
    simulator = sim_of(bench)
    answer = await send(client, "oTaxpayer_000001")
    await bench.hooks.until(lambda: bool(bench.hooks.receipts))
    [finished] = [opened(request) for request in bench.hooks.requests]
    assert (finished.id, finished.status, finished.source) == (answer["msgid"], "success", "oTaxpayer_000001")
    simulator.uplink({"address": "oTaxpayer_000001", "kind": "subscribe", "scene": "hall-3"})
    simulator.uplink({"address": "oTaxpayer_000002", "text": "退订]]>&<b>"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 2)
    messages = {message.source: message for message in map(opened, bench.hooks.requests[1:])}
    assert messages["oTaxpayer_000001"].scene_id == "hall-3"
    assert messages["oTaxpayer_000002"].content == "退订]]>&<b>"
    assert {i.text for i in bench.hooks.inbound} == {"hall-3", "退订]]>&<b>"}


def opened(request: WebhookRequest) -> Any:
    query = request.query
    check_signature(ACCOUNT.callback_token, query["signature"], query["timestamp"], query["nonce"])
    plain = CRYPTO.decrypt_message(request.body, query["msg_signature"], query["timestamp"], query["nonce"])
    return parse_message(plain)


def sealed(xml: str, crypto: WeChatCrypto = CRYPTO) -> WebhookRequest:
    body = crypto.encrypt_message(xml, "486452656", "1714037059")
    signature = body.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    query = {"timestamp": "1714037059", "nonce": "486452656", "msg_signature": signature}
    return WebhookRequest("POST", "/hooks/7", query, {}, body.encode())


def event(fields: str) -> str:
    return (
        "<xml><ToUserName><![CDATA[gh_tax]]></ToUserName><FromUserName><![CDATA[oTaxpayer_000001]]></FromUserName>"
        f"<CreateTime>1714037059</CreateTime>{fields}</xml>"
    )


def test_we_read_what_it_encrypts() -> None:
    adapter = WechatOfficial(make_config("http://127.0.0.1:9"))
    kind = "<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event>"
    request = sealed(event(f"{kind}<MsgID>7</MsgID><Status>success</Status>"))
    adapter.verify(request)
    [receipt] = adapter.parse(request).receipts
    assert (receipt.state, receipt.ref) == (DeliveryState.DELIVERED, "7")
    text = sealed(event("<MsgType>text</MsgType><Content><![CDATA[税]]></Content><MsgId>9</MsgId>"))
    adapter.verify(text)
    [inbound] = adapter.parse(text).inbound
    assert (inbound.kind, inbound.text) == (InboundKind.TEXT, "税")


@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 31, 32, 33, 5000])
def test_every_padding_both_ways(size: int) -> None:
    message = "税" * size
    ours = encrypt(ACCOUNT.encoding_aes_key, ACCOUNT.app_id, message)
    signature = sign(ACCOUNT.callback_token, "1", "2", ours)
    assert CRYPTO.decrypt_message({"Encrypt": ours}, signature, "1", "2") == message
    adapter = WechatOfficial(make_config("http://127.0.0.1:9"))
    request = sealed(event(f"<MsgType>text</MsgType><Content>{message}</Content><MsgId>9</MsgId>"))
    assert [i.text for i in adapter.parse(request).inbound] == [message]


def test_neither_believes_the_other_account() -> None:
    other = WeChatCrypto(ACCOUNT.callback_token, ACCOUNT.encoding_aes_key, "wxOTHER0000000001")
    adapter = WechatOfficial(make_config("http://127.0.0.1:9"))
    request = sealed(event("<MsgType>text</MsgType>"), other)
    adapter.verify(request)
    with pytest.raises(WebhookRejected, match="not for this account"):
        adapter.parse(request)
    with pytest.raises(InvalidSignatureException):
        CRYPTO.decrypt_message({"Encrypt": "x"}, "0" * 40, "1", "2")


def test_signatures_agree() -> None:
    signer = WeChatSigner()
    signer.add_data("AAAAA", "1714037059", "486452656")
    assert signer.signature == sign("AAAAA", "1714037059", "486452656")


async def test_classic_tokens_outlive_their_successor_for_five_minutes() -> None:
    now = [0.0]
    desk = WechatOfficialSimulator(clock=lambda: now[0]).tokens
    first, second = desk.classic()[0], desk.classic()[0]
    desk.judge(first)
    now[0] = 301
    desk.judge(second)
    with pytest.raises(Exception, match="expired"):
        desk.judge(first)
