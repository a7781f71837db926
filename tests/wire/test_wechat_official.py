"""The official account against its simulator, and against the protocol sheet's own vectors."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import DeliveryState, InboundKind, Outbound, Outcome, WebhookRequest
from channels.errors import Fault, GatewayError, WebhookRejected
from channels.gateways.base import MAGIC, Faults
from channels.gateways.wechat_official import DEMO_TEMPLATES, Account, WechatOfficialSimulator
from channels.gateways.wechat_official.pushes import encrypt
from channels.gateways.wechat_official.rules import FIELDS
from channels.wechat_official import WechatOfficial, WechatOfficialConfig
from channels.wechat_official.answers import Answer, result_of
from channels.wechat_official.crypto import decrypt, is_signed, read_key, sign
from channels.wechat_official.fields import RULES, FieldInvalid, fit
from channels.wechat_official.pushes import read_push, read_xml

from .conformance import AdapterConformance, Bench, PushConformance, message_key
from .hooks import Hooks

SAMPLES = Path(__file__).parent / "samples" / "wechat_official"
NOTICE = next(name for name, keys in DEMO_TEMPLATES.items() if keys == ("thing1", "thing2"))
FATES = {fate: digits for digits, fate in MAGIC.items()}
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


def make_config(url: str, **changes: Any) -> WechatOfficialConfig:
    account = Account()
    settings: dict[str, Any] = {
        "api_base": url,
        "app_id": account.app_id,
        "app_secret": account.app_secret,
        "callback_token": account.callback_token,
        "encoding_aes_key": account.encoding_aes_key,
        "timeout": 0.4,
    }
    return WechatOfficialConfig(**{**settings, **changes})


def make_message(key: str, address: str, text: str) -> Outbound:
    params = {"thing1": text[:18], "thing2": text[18:] or "。"}
    return Outbound(key, address, text, template=NOTICE, params=params, url="https://tax.example.cn/m")


def forge(request: WebhookRequest) -> WebhookRequest:
    other = encrypt(AES_KEY, Account().app_id, "<xml><MsgType>text</MsgType></xml>")
    return replace(request, body=f"<xml><Encrypt>{other}</Encrypt></xml>".encode())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    hooks = Hooks()
    base = await hooks.start()
    simulator = WechatOfficialSimulator(Faults(slow_seconds=1.0), callback_url=f"{base}/hooks/7")
    url = await simulator.start()
    adapter = WechatOfficial(make_config(url))
    unreachable = WechatOfficial(make_config("http://127.0.0.1:9"))
    stranger = WechatOfficial(make_config(url, app_secret="wrong"))
    hooks.adapter = adapter
    await adapter.open()
    yield Bench(
        adapter,
        simulator,
        hooks,
        make_message,
        address=lambda n: f"oTaxpayer_{n:06d}",
        magic=lambda fate: f"oMagic-13800000{FATES[fate]}"[:8] + f"1380000{FATES[fate]}",
        unreachable=unreachable,
        stranger=stranger,
        forge=forge,
        uplink={"address": "oTaxpayer_000001", "text": "退订"},
        longest=20,
    )
    for each in (adapter, unreachable, stranger):
        await each.close()
    await simulator.stop()
    await hooks.stop()


class TestWechatOfficial(AdapterConformance):
    """The common suite: sending."""


class TestWechatOfficialPushes(PushConformance):
    """The common suite: receipts and uplinks."""


def sim_of(bench: Bench) -> WechatOfficialSimulator:
    assert isinstance(bench.simulator, WechatOfficialSimulator)
    return bench.simulator


# --- vectors of the protocol sheet


def test_signature_vector() -> None:
    assert sign("AAAAA", "1714037059", "486452656") == "899cf89e464efb63f54ddac96b0a0a235f53aa78"


def test_encryption_vector() -> None:
    sample = json.loads((SAMPLES / "safe_mode_vector.json").read_text("utf-8"))
    key = read_key(sample["encoding_aes_key"])
    assert key.hex() == sample["key"]
    assert decrypt(key, sample["app_id"], sample["encrypt"]) == sample["message"].encode()
    assert is_signed(sample["msg_signature"], *sample["signed"], sample["encrypt"])
    prefix = sample["random"].encode()
    assert encrypt(sample["encoding_aes_key"], sample["app_id"], sample["message"], prefix) == sample["encrypt"]


def test_vector_for_another_account_is_rejected() -> None:
    sample = json.loads((SAMPLES / "safe_mode_vector.json").read_text("utf-8"))
    with pytest.raises(WebhookRejected, match="not for this account"):
        decrypt(read_key(sample["encoding_aes_key"]), "wxOTHER", sample["encrypt"])


@given(st.binary(max_size=200))
def test_no_cipher_text_breaks_the_reader(noise: bytes) -> None:
    with pytest.raises(WebhookRejected):
        decrypt(read_key(AES_KEY), "wxTESTAPPID00001", noise.decode("latin-1"))


# --- callbacks


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.xml")), ids=lambda path: path.stem)
def test_samples(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    parsed = read_push(read_xml(path.read_bytes()))
    receipts = [[r.state, r.ref, r.address, r.code, r.at and r.at.isoformat()] for r in parsed.receipts]
    inbound = [[i.kind, i.address, i.text, i.at and i.at.isoformat()] for i in parsed.inbound]
    assert {"receipts": receipts, "inbound": inbound} == expected
    assert parsed.reply.body == b"success"


def callback(adapter: WechatOfficial, **query: str) -> bytes:
    request = WebhookRequest("GET", "/hooks/7", query, {}, b"")
    adapter.verify(request)
    return adapter.parse(request).reply.body


async def test_the_address_proves_itself(bench: Bench) -> None:
    simulator = sim_of(bench)
    assert await simulator.pusher.introduce("5927782489442352469")
    stamp = {"timestamp": "1714037059", "nonce": "486452656"}
    adapter = WechatOfficial(make_config("http://127.0.0.1:9", callback_token="AAAAA"))
    signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78"
    assert callback(adapter, signature=signature, echostr="<b>", **stamp) == b"<b>"
    for wrong in ({"signature": "0" * 40}, {"signature": signature, "nonce": "1"}, {"signature": "é\ud800"}, {}):
        with pytest.raises(WebhookRejected):
            callback(adapter, **{**stamp, "echostr": "x", **wrong})


def test_an_echo_is_never_a_page() -> None:
    adapter = WechatOfficial(make_config("http://127.0.0.1:9"))
    request = WebhookRequest("GET", "/hooks/7", {"echostr": "<script>"}, {}, b"")
    headers = adapter.parse(request).reply.headers
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/hostname"><xml><Encrypt>x</Encrypt></xml>',
        b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
        b"<xml><Encrypt>" + b"a" * 70_000 + b"</Encrypt></xml>",
        b"<xml>" + b"".join(b"<a%d/>" % n for n in range(300)) + b"</xml>",
        b"<xml><Encrypt>",
        b"",
        b'{"Encrypt": "x"}',
    ],
    ids=["bomb", "external", "doubled", "long", "many", "cut", "empty", "json"],
)
def test_hostile_xml(body: bytes) -> None:
    with pytest.raises(WebhookRejected):
        read_xml(body)


@given(st.dictionaries(st.sampled_from(["MsgType", "Event", "MsgID", "Status", "FromUserName", "CreateTime"]), st.text()))
def test_no_content_breaks_the_reader(fields: dict[str, str]) -> None:
    for kind in ({"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH"}, {"MsgType": "text"}, {}):
        try:
            read_push({**fields, **kind})
        except WebhookRejected:
            continue


async def test_unsigned_content_is_rejected(bench: Bench) -> None:
    simulator = sim_of(bench)
    simulator.uplink({"address": "oTaxpayer_000001", "text": "1"})
    await bench.hooks.until(lambda: bool(bench.hooks.requests))
    genuine = bench.hooks.requests[0]
    plain = b"<xml><FromUserName>oTaxpayer_000001</FromUserName><MsgType>text</MsgType></xml>"
    with pytest.raises(WebhookRejected):
        bench.adapter.verify(replace(genuine, body=plain))


async def test_followers_come_and_go(bench: Bench) -> None:
    simulator, openid = sim_of(bench), bench.address(1)
    simulator.uplink({"address": openid, "kind": "unsubscribe"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 1)
    [result] = await bench.adapter.send([bench.one(1)])
    assert (result.fault, result.code) == (Fault.OPTED_OUT, "43004")
    simulator.uplink({"address": openid, "kind": "subscribe", "scene": "bind-7"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 2)
    [result] = await bench.adapter.send([bench.one(1)])
    assert result.outcome is Outcome.ACCEPTED
    left, came = bench.hooks.inbound
    assert (left.kind, came.kind, came.text) == (InboundKind.UNFOLLOW, InboundKind.FOLLOW, "bind-7")
    assert openid not in left.provider_id + came.provider_id
    assert left.provider_id != came.provider_id


async def test_three_tries_bear_one_id(bench: Bench) -> None:
    bench.hooks.refuse = 1
    sim_of(bench).uplink({"address": bench.address(3), "text": "您好"})
    await bench.hooks.until(lambda: bool(bench.hooks.inbound))
    first = bench.adapter.parse(bench.hooks.requests[0]).inbound
    assert first == tuple(bench.hooks.inbound)
    bench.hooks.refuse = 5
    sim_of(bench).uplink({"address": bench.address(3), "text": "在吗"})
    await bench.hooks.until(lambda: len(bench.hooks.requests) == 5)
    await asyncio.sleep(0.1)
    assert (len(bench.hooks.requests), len(bench.hooks.inbound)) == (5, 1)


async def test_failure_names_its_reason(bench: Bench) -> None:
    await bench.adapter.send([bench.doomed("fail")])
    await bench.hooks.until(lambda: bool(bench.hooks.receipts))
    [receipt] = bench.hooks.receipts
    assert (receipt.state, receipt.code) == (DeliveryState.FAILED, "failed:user block")
    assert receipt.ref == bench.simulator.books.entries[0].ref


# --- tokens


async def test_one_token_for_all_who_wait() -> None:
    simulator = WechatOfficialSimulator()
    adapter = WechatOfficial(make_config(await simulator.start(), timeout=5.0))
    issued = await asyncio.gather(*(adapter._client.token() for _ in range(50)))
    assert len(set(issued)) == 1
    assert len(simulator.tokens._known) == 1
    await adapter.close()
    await simulator.stop()


@pytest.mark.parametrize("expire", [True, False], ids=["forgotten", "still handed out"])
async def test_a_stale_token_is_replaced_once(bench: Bench, expire: bool) -> None:
    simulator = sim_of(bench)
    await bench.adapter.send([bench.one(0)])
    if expire:
        simulator.tokens.expire()
    else:
        # The desk still believes in the token, so only a forced one helps.
        [token] = simulator.tokens._known.values()
        simulator.tokens._known.clear()
        assert simulator.tokens._stable is token
    results = await bench.adapter.send([bench.one(n) for n in range(1, 40)])
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert len(simulator.books.entries) == 40


async def test_a_token_that_stays_bad_is_not_asked_for_again_and_again(bench: Bench) -> None:
    simulator = sim_of(bench)
    await bench.adapter.send([bench.one(0)])
    for _ in range(2):
        simulator.tokens._known.clear()
        [result] = await bench.adapter.send([bench.one(1)])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.UNAUTHORIZED, "40001")


async def test_tokens_are_renewed_before_they_end() -> None:
    now = [1000.0]
    simulator = WechatOfficialSimulator(clock=lambda: now[0])
    desk = simulator.tokens
    first, seconds = desk.stable(force=False)
    assert seconds == 7200
    now[0] += 7200 - 301
    assert desk.stable(force=False)[0] == first
    now[0] += 2
    second, _ = desk.stable(force=False)
    assert second != first
    desk.judge(first)
    now[0] += 301
    desk.judge(second)
    with pytest.raises(Exception, match="expired"):
        desk.judge(first)


async def test_platform_says_the_secret_is_wrong(bench: Bench) -> None:
    assert bench.stranger is not None
    with pytest.raises(GatewayError, match="AppSecret") as caught:
        await bench.stranger.open()
    assert caught.value.code == "40125"


async def test_address_not_on_the_list() -> None:
    simulator = WechatOfficialSimulator(account=Account(allowed=frozenset({"192.0.2.1"})))
    adapter = WechatOfficial(make_config(await simulator.start()))
    with pytest.raises(GatewayError, match="白名单") as caught:
        await adapter.check()
    assert caught.value.fault is Fault.MISCONFIGURED
    await adapter.close()
    await simulator.stop()


# --- sending


async def test_key_is_forgotten_after_ten_minutes() -> None:
    now = [0.0]
    simulator = WechatOfficialSimulator(clock=lambda: now[0])
    adapter = WechatOfficial(make_config(await simulator.start()))
    message = make_message(message_key(0), "oTaxpayer_000001", "提醒")
    refs = []
    for wait in (0, 599, 2):
        now[0] += wait
        refs.append((await adapter.send([message]))[0].ref)
    assert refs[0] == refs[1] != refs[2]
    assert len(simulator.books.entries) == 2
    await adapter.close()
    await simulator.stop()


async def test_unknown_outcomes_may_be_sent_again() -> None:
    faults = Faults(drop_before=0.2, drop_after=0.2, error_after=0.1, seed=random.Random(5).randrange(99))
    simulator = WechatOfficialSimulator(faults)
    adapter = WechatOfficial(make_config(await simulator.start(), timeout=5.0))
    batch = [make_message(message_key(n), f"oTaxpayer_{n:06d}", "提醒") for n in range(300)]
    left, rounds = batch, 0
    while left and rounds < 12:
        results = await adapter.send(left)
        assert rounds or any(r.outcome is Outcome.UNKNOWN for r in results)
        left = [m for m, r in zip(left, results, strict=True) if r.outcome is not Outcome.ACCEPTED]
        rounds += 1
    assert not left
    assert sorted(e.key for e in simulator.books.entries) == sorted(m.key for m in batch)
    await adapter.close()
    await simulator.stop()


@pytest.mark.parametrize(
    ("change", "fault", "code"),
    [
        ({"address": "13800138000"}, Fault.INVALID_ADDRESS, "40003"),
        ({"template": "unknown"}, Fault.REJECTED, "40037"),
        ({"template": ""}, Fault.REJECTED, "47003:template_id"),
        ({"params": {"thing1": "甲"}}, Fault.REJECTED, "47003:thing2"),
        ({"params": {"thing1": "", "thing2": "乙"}}, Fault.REJECTED, "47003:thing1"),
        ({"params": {"thing1": "甲", "thing2": "乙", "thing3": "丙"}}, Fault.REJECTED, "47003:thing3"),
        ({"params": {"first": "您好", "thing1": "甲", "thing2": "乙"}}, Fault.REJECTED, "47003:first"),
        ({"params": {"thing1": "\ud800", "thing2": "乙"}}, Fault.REJECTED, "47003:json"),
    ],
)
async def test_refusals_name_what_is_wrong(bench: Bench, change: dict[str, Any], fault: Fault, code: str) -> None:
    [result] = await bench.adapter.send([replace(bench.one(0), **change)])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, fault, code)
    assert not bench.simulator.books.entries


async def test_overlong_things_are_cut(bench: Bench) -> None:
    params = {"thing1": "税" * 25, "thing2": "第一行\r\n第二行"}
    [result] = await bench.adapter.send([replace(bench.one(0), params=params)])
    assert result.outcome is Outcome.ACCEPTED
    assert bench.simulator.books.entries[0].text == "税" * 19 + "…" + "第一行 第二行"


async def test_daily_quota_waits_for_midnight() -> None:
    simulator = WechatOfficialSimulator(account=Account(daily_quota=2))
    adapter = WechatOfficial(make_config(await simulator.start()))
    batch = [make_message(message_key(n), f"oTaxpayer_{n:06d}", "提醒") for n in range(3)]
    results = await adapter.send(batch)
    [late] = [r for r in results if r.outcome is not Outcome.ACCEPTED]
    assert (late.fault, late.code) == (Fault.THROTTLED, "45009")
    assert late.retry_after is not None
    assert timedelta() < late.retry_after <= timedelta(days=1)
    await adapter.close()
    await simulator.stop()


def test_classification() -> None:
    now = datetime(2026, 2, 28, 15, 30, tzinfo=UTC)

    def told(errcode: int, errmsg: str = "") -> Any:
        return result_of("k", Answer(errcode, errmsg, {"errcode": errcode, "msgid": 7}), now)

    assert (told(0).outcome, told(0).ref) == (Outcome.ACCEPTED, "7")
    assert told(-1).outcome is Outcome.UNKNOWN
    assert told(99999).outcome is Outcome.UNKNOWN
    assert result_of("k", Answer(0, "", {"status": "up"}), now).outcome is Outcome.UNKNOWN
    assert told(45011).retry_after == timedelta(minutes=1)
    assert told(45009).retry_after == timedelta(minutes=30)
    assert told(47003, "argument invalid! data.thing2.value invalid rid: 1-2-3").code == "47003:thing2"
    assert told(47003, "argument invalid!").code == "47003"


async def test_an_answer_that_is_not_the_platforms_is_unknown() -> None:
    answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<a/>", b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"]
    token = b'{"access_token":"T","expires_in":7200}'
    first = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(token), token)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.read(65536)):
            writer.write(first if b"stable_token" in head else answers.pop(0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    adapter = WechatOfficial(make_config(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", concurrency=1))
    batch = [make_message(message_key(n), "oTaxpayer_000001", "提醒") for n in range(2)]
    results = await adapter.send(batch)
    assert [(r.outcome, r.code) for r in results] == [
        (Outcome.UNKNOWN, "not json"),
        (Outcome.UNKNOWN, "http 503"),
    ]
    await adapter.close()
    server.close()


def test_configuration_is_checked() -> None:
    with pytest.raises(ValidationError, match="43"):
        make_config("http://127.0.0.1:9", encoding_aes_key="short")
    with pytest.raises(ValidationError):
        make_config("ftp://127.0.0.1")
    assert "simulated-secret" not in repr(make_config("http://127.0.0.1:9"))


# --- typed fields

GOOD = {
    "thing1": ["汇算清缴", "a" * 20],
    "short_thing2": ["已受理"],
    "number3": ["12", "3.50", "9" * 32],
    "letter4": ["ABC"],
    "symbol5": ["!?"],
    "character_string6": ["SN-2026/08"],
    "time7": ["15:01", "2026年3月1日 15:01", "2026-03-01 08:00~2026-03-31 18:00"],
    "date8": ["2026年3月1日", "2026-03-01", "2026年3月1日~2026年6月30日"],
    "amount9": ["100元", "¥12.50", "￥1234567.89元"],
    "phone_number10": ["12366", "+86-10-88886666"],
    "car_number11": ["粤A8Z888挂"],
    "name12": ["张三", "Zhang San"],
    "phrase13": ["待办理"],
    "const14": ["审核通过"],
    "enum15": ["是"],
}
BAD = {
    "thing1": [""],
    "short_thing2": ["超过五个汉字"],
    "number3": ["12a", "9" * 33, "-1", "1."],
    "letter4": ["AB1", "a" * 33],
    "symbol5": ["!a", "!" * 6],
    "character_string6": ["编号1", "a" * 33],
    "time7": ["明天", "15点", "2026年3月1日"],
    "date8": ["3月1日", "2026/03/01x"],
    "amount9": ["一百元", "1,000.00", "12345678901"],
    "phone_number10": ["1" * 18, "12366转2"],
    "car_number11": ["粤A8Z888挂88"],
    "name12": ["一二三四五六七八九十一", "a" * 21],
    "phrase13": ["办理中ing", "超过五个汉字"],
    "first": ["您好"],
    "thing": ["无编号"],
    "keyword1": ["旧模板"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in GOOD for value in GOOD[key]])
def test_good_values_pass_here_and_there(key: str, value: str) -> None:
    assert fit(key, value) == value
    assert FIELDS[key.rstrip("0123456789")](value)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in BAD for value in BAD[key]])
def test_bad_values_are_refused(key: str, value: str) -> None:
    with pytest.raises(FieldInvalid):
        fit(key, value)
    rule = FIELDS.get(key.rstrip("0123456789"))
    assert rule is None or not key[-1].isdigit() or not value or not rule(value)


def test_every_type_of_the_sheet_has_a_rule() -> None:
    assert set(RULES) == set(FIELDS)


@given(st.text(min_size=1, max_size=60))
def test_a_thing_is_short_enough_or_refused(value: str) -> None:
    try:
        fitted = fit("thing1", value)
    except FieldInvalid:
        assert not "".join(char for char in value if char.isprintable()).strip()
        return
    assert 1 <= len(fitted) <= 20
    assert "\n" not in fitted
    assert not fitted.endswith(("\u200d…", "\u200d"))


@given(st.sampled_from(sorted(RULES)), st.text(max_size=60))
@settings(max_examples=300)
def test_what_is_refused_here_would_be_refused_there(kind: str, value: str) -> None:
    if value != value.strip() or not value.isprintable() or kind == "thing":
        return
    try:
        fit(f"{kind}1", value)
    except FieldInvalid:
        assert not value or not FIELDS[kind](value)


def test_cut_keeps_emoji_whole() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    cut = fit("thing1", "税" * 16 + family + "务")
    assert cut == "税" * 16 + "…"


async def test_simulator_keeps_up() -> None:
    simulator = WechatOfficialSimulator(Faults(silent=1.0), Account(daily_quota=10**6))
    adapter = WechatOfficial(make_config(await simulator.start(), timeout=10.0))
    batch = [make_message(message_key(n), f"oTaxpayer_{n:06d}", "提醒") for n in range(2000)]
    began = time.process_time()
    await adapter.send(batch)
    assert len(simulator.books.entries) == 2000
    # Adapter and simulator share this process; far below what one of them needs alone.
    assert time.process_time() - began < 4.0
    await adapter.close()
    await simulator.stop()
