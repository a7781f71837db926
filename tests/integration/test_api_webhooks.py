"""Pushes of providers: taken only at the right address, durable before the answer, refused when they must be
repeated."""

from typing import Any

import httpx
from fastapi import FastAPI

from channels.base import WebhookReply, WebhookRequest
from outreach.errors import NotFound
from outreach.rehearsal import add_gateways, free_ports
from outreach.runtime import Runtime
from outreach.web.webhooks import Pushes, pushes_first
from tests.integration.api_town import Town

REPORT = {
    "phone_number": "13800138000",
    "send_time": "2026-03-16 09:00:00",
    "report_time": "2026-03-16 09:00:02",
    "success": True,
    "err_code": "DELIVERED",
    "err_msg": "用户接收成功",
    "sms_size": "1",
    "biz_id": "932702304080415357^0",
    "out_id": "",
}


async def gateway(rt: Runtime) -> tuple[int, str]:
    ids = await add_gateways(rt, free_ports(), rate=1000, quiet_seconds=1)
    row = await rt.db.fetch_one("select secret from gateway where id = %(id)s", {"id": ids["aliyun_sms"]})
    assert row is not None
    return ids["aliyun_sms"], row["secret"]


async def inbox(rt: Runtime) -> list[dict[str, Any]]:
    return await rt.db.fetch("select gateway_id, ref, state, code from receipt_inbox order by id")


async def test_a_receipt_is_durable_before_the_answer(town: Town) -> None:
    number, secret = await gateway(town.rt)
    answer = await town.client.post(f"/hooks/{number}/{secret}/report", json=[REPORT, REPORT])
    assert (answer.status_code, answer.json()) == (200, {"code": 0, "msg": "成功"})
    row = {"gateway_id": number, "ref": "932702304080415357^0", "state": 3, "code": "DELIVERED"}
    assert await inbox(town.rt) == [row, row]
    assert "set-cookie" not in answer.headers


async def test_a_wrong_address_is_not_there(town: Town) -> None:
    number, secret = await gateway(town.rt)
    wrong = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    paths = [f"{number}/{wrong}/report", f"999/{secret}/report", f"0/{secret}/report", f"{number}", ""]
    for path in [*paths, f"abc/{secret}/report", f"{'9' * 5000}/{secret}", f"{number}/%ff/report"]:
        assert (await town.client.post(f"/hooks/{path}", json=[REPORT])).status_code == 404, path
    assert (await town.client.put(f"/hooks/{number}/{secret}/report", json=[REPORT])).status_code == 404
    assert await inbox(town.rt) == []


async def test_what_the_provider_did_not_write_is_refused(town: Town) -> None:
    number, secret = await gateway(town.rt)
    for body in (b"", b"{", b"[]", b"\xff\xfe", b"[" * 20_000, b'[{"success": true}]', b"null"):
        answer = await town.client.post(f"/hooks/{number}/{secret}/report", content=body)
        assert answer.status_code in (200, 403), body[:20]
    assert await inbox(town.rt) == []


async def test_a_large_body_is_refused_before_it_is_read(town: Town) -> None:
    number, secret = await gateway(town.rt)
    answer = await town.client.post(f"/hooks/{number}/{secret}/report", content=b" " * (2**20 + 1))
    assert answer.status_code == 413


async def test_without_the_database_the_provider_is_told_to_repeat(town: Town) -> None:
    number, secret = await gateway(town.rt)
    path = f"/hooks/{number}/{secret}/report"
    assert (await town.client.post(path, json=[REPORT])).status_code == 200
    await town.rt.db.close()
    answer = await town.client.post(path, json=[REPORT])
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_request_is_handed_on_as_it_came() -> None:
    seen: list[tuple[int, str, WebhookRequest]] = []

    async def accept(gateway_id: int, secret: str, request: WebhookRequest) -> WebhookReply:
        seen.append((gateway_id, secret, request))
        if secret == "unknown":
            raise NotFound("没有这个回调地址")
        return WebhookReply(202, {"echoStr": "e1"}, b"taken")

    app = pushes_first(Pushes(accept), FastAPI())
    transport = httpx.ASGITransport(app=app, client=("10.1.2.3", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        path = "/hooks/7/s3cret/DeliveryNotification/sip%3A106%40example.com/notify"
        answer = await client.post(f"{path}?a=1&b=%E4%B8%AD", content=b"\x00raw", headers={"X-Nonce": "n"})
        assert (await client.get("/hooks/7/unknown")).json()["message"] == "没有这个回调地址"
        assert (await client.get("/elsewhere")).json() == {"detail": "Not Found"}
    assert (answer.status_code, answer.content, answer.headers["echostr"]) == (202, b"taken", "e1")
    gateway_id, secret, request = seen[0]
    assert (gateway_id, secret) == (7, "s3cret")
    assert (request.method, request.path, request.body) == ("POST", path, b"\x00raw")
    assert (dict(request.query), request.headers["x-nonce"]) == ({"a": "1", "b": "中"}, "n")
    assert request.remote == "10.1.2.3"
    assert seen[1][2].method == "GET"
