"""wechatpy's enterprise part, an implementation by other people: its client against our simulator, its crypto
against ours."""

import asyncio
from typing import Any

import pytest
from wechatpy.enterprise import WeChatClient, parse_message
from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.exceptions import WeChatClientException

from channels.base import InboundKind, WebhookRequest
from channels.errors import WebhookRejected
from channels.wecom import Wecom

from .clock import LONGEST
from .conformance import Bench
from .wecom import ACCOUNT, FATES, adapter_of, make_config, sim_of, wecom_bench

bench = wecom_bench
CRYPTO = WeChatCrypto(ACCOUNT.callback_token, ACCOUNT.encoding_aes_key, ACCOUNT.corp_id)
AGENT = ACCOUNT.agent_id


class Client(WeChatClient):  # type: ignore[misc]
    """wechatpy's client on another host."""

    def __init__(self, base: str) -> None:
        self.API_BASE_URL = f"{base}/cgi-bin/"
        super().__init__(ACCOUNT.corp_id, ACCOUNT.corp_secret, timeout=LONGEST)

    def fetch_access_token(self) -> Any:
        asked = {"corpid": self.corp_id, "corpsecret": self.secret}
        return self._fetch_access_token(f"{self.API_BASE_URL}gettoken", params=asked)


@pytest.fixture
def client(bench: Bench) -> Client:
    return Client(adapter_of(bench)._config.api_base)


async def test_its_client_sends(bench: Bench, client: Client) -> None:
    answer = await asyncio.to_thread(client.message.send_text, AGENT, ["one", "two"], "请查收")
    card = ("题", "文", "https://tax.example.cn")
    assert (await asyncio.to_thread(client.message.send_text_card, AGENT, "three", *card))["errcode"] == 0
    assert (await asyncio.to_thread(client.message.send_markdown, AGENT, "four", "**请查收**"))[
        "errcode"
    ] == 0
    entries = bench.simulator.books.entries
    assert [entry.address for entry in entries] == ["one", "two", "three", "four"]
    assert [entry.ref for entry in entries[:2]] == [answer["msgid"]] * 2
    assert (await asyncio.to_thread(client.agent.get, AGENT))["agentid"] == AGENT


async def test_some_receivers_are_refused(bench: Bench, client: Client) -> None:
    bad = f"Magic-1380000{FATES['reject']}"
    sim_of(bench).unlicensed.add("Poor")
    answer = await asyncio.to_thread(client.message.send_text, AGENT, ["one", bad, "Poor"], "请查收")
    assert (answer["invaliduser"], answer["unlicenseduser"]) == (bad.lower(), "poor")
    assert [entry.address for entry in bench.simulator.books.entries] == ["one"]


@pytest.mark.parametrize(
    ("agent", "users", "text", "code"),
    [
        (AGENT, "不是", "请查收", 81013),
        (AGENT, [], "请查收", 40031),
        (AGENT, [f"u{n}" for n in range(1001)], "请查收", 40032),
        (AGENT, "one", "长" * 700, 45002),
        (AGENT, "one", "", 44004),
        (7, "one", "请查收", 40056),
        (AGENT, f"Magic-1380000{FATES['throttle']}", "请查收", 45009),
    ],
)
async def test_its_client_meets_the_rules(
    bench: Bench, client: Client, agent: int, users: Any, text: str, code: int
) -> None:
    with pytest.raises(WeChatClientException) as caught:
        await asyncio.to_thread(client.message.send_text, agent, users, text)
    assert caught.value.errcode == code
    assert not bench.simulator.books.entries


async def test_it_reads_what_the_simulator_pushes(bench: Bench, client: Client) -> None:
    sim_of(bench).uplink({"address": "Staff.1", "text": "退订]]>&<b>"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 1)
    sim_of(bench).uplink({"address": "Staff.2", "kind": "click", "key": "help"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 2)
    text, click = (opened(request) for request in bench.hooks.requests)
    assert (text.source, text.content, text.agent) == ("Staff.1", "退订]]>&<b>", AGENT)
    assert (click.source, click.event, click.key) == ("Staff.2", "click", "help")


def opened(request: WebhookRequest) -> Any:
    query = request.query
    plain = CRYPTO.decrypt_message(request.body, query["msg_signature"], query["timestamp"], query["nonce"])
    return parse_message(plain)


def sealed(xml: str, crypto: WeChatCrypto = CRYPTO) -> WebhookRequest:
    body = crypto.encrypt_message(xml, "486452656", "1714037059")
    signature = body.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    query = {"timestamp": "1714037059", "nonce": "486452656", "msg_signature": signature}
    return WebhookRequest("POST", "/hooks/7", query, {}, body.encode())


XML = (
    "<xml><ToUserName>ww</ToUserName><FromUserName>Staff.1</FromUserName><CreateTime>1714037059</CreateTime>"
    "<MsgType>text</MsgType><Content><![CDATA[税]]></Content><MsgId>9</MsgId></xml>"
)


def test_we_read_what_it_encrypts() -> None:
    adapter, request = Wecom(make_config("http://127.0.0.1:9")), sealed(XML)
    adapter.verify(request)
    [inbound] = adapter.parse(request).inbound
    assert (inbound.kind, inbound.address, inbound.text) == (InboundKind.TEXT, "Staff.1", "税")


def test_we_do_not_believe_another_corporation() -> None:
    other = WeChatCrypto(ACCOUNT.callback_token, ACCOUNT.encoding_aes_key, "wwOTHER000000001")
    adapter, request = Wecom(make_config("http://127.0.0.1:9")), sealed(XML, other)
    adapter.verify(request)
    with pytest.raises(WebhookRejected, match="not for this account"):
        adapter.parse(request)
