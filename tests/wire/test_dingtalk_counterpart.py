"""Implementations by other people: dingtalk-sdk's client and crypto, DingtalkChatbot's robot."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from channels.base import WebhookRequest
from channels.dingtalk import Dingtalk
from channels.dingtalk.robot import sign_robot
from channels.errors import WebhookRejected

from .clock import LONGEST
from .conformance import Bench
from .dingtalk import ACCOUNT, FATES, dingtalk_bench, make_config, sim_of

sdk = pytest.importorskip("dingtalk", reason="dingtalk-sdk is not installed")
crypto = pytest.importorskip("dingtalk.crypto", reason="dingtalk-sdk is not installed")
errors = pytest.importorskip("dingtalk.core.exceptions", reason="dingtalk-sdk is not installed")
chatbot = pytest.importorskip("dingtalkchatbot.chatbot", reason="dingtalkchatbot is not installed")

bench = dingtalk_bench
SECRETS = (ACCOUNT.callback_token, ACCOUNT.encoding_aes_key)
CRYPTO = crypto.DingTalkCrypto(*SECRETS, ACCOUNT.app_key)
NOTICES = "/topapi/message/corpconversation"


@pytest.fixture
def client(bench: Bench) -> Any:
    made = sdk.AppKeyClient("dingcorp1", ACCOUNT.app_key, ACCOUNT.app_secret, timeout=LONGEST)
    made.API_BASE_URL = sim_of(bench).control_url
    return made


async def post(client: Any, name: str, **asked: Any) -> Any:
    return await asyncio.to_thread(client.post, f"{NOTICES}/{name}", {"agent_id": ACCOUNT.agent_id, **asked})


def text(content: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": content}}


async def test_its_client_sends_and_asks(bench: Bench, client: Any) -> None:
    bad = f"magic-1380000{FATES['reject']}"
    answer = await post(client, "asyncsend_v2", userid_list=f"one,{bad},two", msg=text("请查收"))
    entries = bench.simulator.books.entries
    assert [(e.address, e.ref) for e in entries] == [(u, str(answer["task_id"])) for u in ("one", "two")]
    await asyncio.sleep(0.1)
    progress = (await post(client, "getsendprogress", task_id=answer["task_id"]))["progress"]
    assert progress == {"progress_in_percent": 100, "status": 2}
    result = (await post(client, "getsendresult", task_id=answer["task_id"]))["send_result"]
    assert (result["unread_user_id_list"], result["invalid_user_id_list"]) == (["one", "two"], [bad])
    again = await post(client, "asyncsend_v2", userid_list="one", msg=text("请查收"))
    await asyncio.sleep(0.1)
    result = (await post(client, "getsendresult", task_id=again["task_id"]))["send_result"]
    assert result["forbidden_list"] == [{"code": "143106", "count": 1, "userid": "one"}]
    assert (await post(client, "recall", msg_task_id=again["task_id"]))["errcode"] == 0


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"userid_list": "one", "msg": {"msgtype": "text"}}, 40035),
        ({"userid_list": "one", "msg": text("")}, 40035),
        ({"userid_list": "one", "msg": text("长" * 700)}, 40035),
        ({"userid_list": ",".join(f"u{n}" for n in range(101)), "msg": text("x")}, 40035),
        ({"msg": text("x")}, 1430000),
        ({"userid_list": "不是", "msg": text("x")}, 33012),
        ({"userid_list": f"magic-1380000{FATES['throttle']}", "msg": text("x")}, 143103),
        ({"userid_list": "one", "msg": text("x"), "agent_id": 1}, 40035),
    ],
)
async def test_its_client_meets_the_rules(
    bench: Bench, client: Any, asked: dict[str, Any], code: int
) -> None:
    with pytest.raises(errors.DingTalkClientException) as caught:
        await post(client, "asyncsend_v2", **asked)
    assert caught.value.errcode == code
    assert not bench.simulator.books.entries


async def test_it_reads_what_the_simulator_pushes(bench: Bench) -> None:
    await sim_of(bench).pusher.deliver({"EventType": "check_url", "note": "税"})
    [request] = bench.hooks.requests
    stamp, nonce = request.query["timestamp"], request.query["nonce"]
    plain = CRYPTO.decrypt_message(request.body, request.query["signature"], stamp, nonce)
    assert orjson.loads(plain) == {"EventType": "check_url", "note": "税"}
    told = orjson.loads(bench.adapter.parse(request).reply.body)
    word = CRYPTO.decrypt_encrypt_str(
        told["msg_signature"], told["timeStamp"], told["nonce"], told["encrypt"]
    )
    assert word == "success"


def sealed(content: str, by: Any = CRYPTO) -> WebhookRequest:
    told = by.encrypt_message(content, "nonce", 1714037059000)
    query = {"signature": told["msg_signature"], "timestamp": told["timeStamp"], "nonce": told["nonce"]}
    return WebhookRequest("POST", "/hooks/7", query, {}, orjson.dumps({"encrypt": told["encrypt"]}))


def test_we_read_what_it_encrypts() -> None:
    adapter, request = Dingtalk(make_config("http://127.0.0.1:9")), sealed('{"EventType":"check_url"}')
    adapter.verify(request)
    assert adapter.parse(request).reply.status == 200
    other = sealed('{"EventType":"check_url"}', crypto.DingTalkCrypto(*SECRETS, "dingOTHER"))
    adapter.verify(other)
    with pytest.raises(WebhookRejected, match="not for this account"):
        adapter.parse(other)


async def test_its_robot_speaks(bench: Bench) -> None:
    robot = ACCOUNT.robot
    webhook = f"{sim_of(bench).control_url}/robot/send?access_token={robot.access_token}"
    bot = chatbot.DingtalkChatbot(webhook, robot.secret)
    signed = dict(parse_qsl(urlsplit(bot.webhook).query))
    assert signed["sign"] == sign_robot(robot.secret, int(signed["timestamp"]))
    assert (await asyncio.to_thread(bot.send_text, "请查收"))["errcode"] == 0
    assert (await asyncio.to_thread(bot.send_markdown, "题", "文"))["errcode"] == 0
    wrong = chatbot.DingtalkChatbot(webhook, "SECother")
    assert (await asyncio.to_thread(wrong.send_text, "请查收"))["errcode"] == 310000
    assert [entry.text for entry in bench.simulator.books.entries] == ["请查收", "题\n文"]
