"""The HTTP front of a simulated service: who may come in, what strikes a sending, how it is answered.

Source: sheet, sections 1 to 3.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from channels.gateways.aliyun_api.calls import Call, read_call
from channels.gateways.aliyun_api.refusals import (
    AFTER_ACCEPTANCE,
    BusinessRefusal,
    Cut,
    GatewayRefusal,
    code_for,
    raise_code,
)
from channels.gateways.aliyun_api.signatures import Verifier
from channels.gateways.base import MAGIC, MAGIC_PREFIX, Simulator
from channels.gateways.http_server import HttpServer, answer_json, cut_connection, read_body

VERSION = "2017-05-25"
REQUEST_FATES = ("throttle", "drop_before", "drop_after", "error_after", "slow", "late")
ACCOUNTS = {"testId": "testSecret"}
SIGNATURES = ("测试税务",)

Operation = Callable[[Mapping[str, str]], Awaitable[Mapping[str, Any]]]
"""Takes the parameters and returns the answer without its RequestId. Raises GatewayRefusal, BusinessRefusal,
Cut."""


def is_taken(answer: Mapping[str, Any]) -> bool:
    """Whether the receiver of a push has taken it: any numeric code says so. Source: sheet, section 4."""
    return isinstance(answer.get("code"), int)


class Front:
    """Serves the operations of a simulator by their names, and its control interface."""

    def __init__(
        self,
        simulator: Simulator,
        accounts: Mapping[str, str],
        now: Callable[[], datetime],
        operations: Mapping[str, Operation],
    ) -> None:
        self._simulator = simulator
        self._verifier = Verifier(accounts, now)
        self._operations = operations
        self._server = HttpServer(self._serve)

    async def start(self, host: str, port: int) -> str:
        """Listen; returns the endpoint `http://host:port`."""
        return await self._server.start(host, port)

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await read_body(receive)
        call = read_call(scope, body)
        try:
            status, told = await self._answer(call)
        except Cut:
            await cut_connection(receive)
            return
        await answer_json(send, status, told)

    async def _answer(self, call: Call) -> tuple[int, Any]:
        if call.path.startswith("/_sim/"):
            return self._controlled(call)
        request_id = str(uuid.uuid4()).upper()
        try:
            self._verifier.check(call)
            return 200, {"RequestId": request_id, **await self._operate(call)}
        except BusinessRefusal as no:
            return 200, {"RequestId": request_id, "Code": no.code, "Message": no.message}
        except GatewayRefusal as no:
            about = {"HostId": call.headers.get("host", ""), "Recommend": ""}
            return no.status, {"RequestId": request_id, **about, "Code": no.code, "Message": no.message}

    def _controlled(self, call: Call) -> tuple[int, Any]:
        try:
            answer = self._simulator.control(call.method, call.path, call.query, call.body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return 400, {"error": str(error)}
        return (404, {"error": "no such control"}) if answer is None else (200, answer)

    async def _operate(self, call: Call) -> Mapping[str, Any]:
        if call.version != VERSION:
            raise GatewayRefusal(400, "InvalidVersion", "Specified parameter Version is not valid.")
        if call.action not in self._operations:
            raise GatewayRefusal(404, "InvalidAction.NotFound", "Specified api is not found.")
        return await self._operations[call.action](call.params)


async def play(
    simulator: Simulator,
    numbers: Sequence[str],
    count: Callable[[], None],
    accept: Callable[[], Awaitable[str]],
) -> str:
    """Accept a sending to these numbers with whatever strikes it; returns the BizId. `count` holds it to the
    limits once nothing else refuses it. Raises GatewayRefusal, BusinessRefusal, Cut."""
    fate = _fate(simulator, numbers)
    if fate == "throttle":
        raise GatewayRefusal(400, "Throttling.User", "Request was denied due to user flow control.")
    if fate == "drop_before":
        raise Cut
    if fate == "late":
        await asyncio.sleep(simulator.faults.late_seconds)
    code = _code_on_demand(simulator, numbers)
    if code and code != AFTER_ACCEPTANCE:
        raise_code(code)
    count()
    biz_id = await accept()
    if code:
        raise_code(code)
    await _spoil_answer(simulator, fate)
    return biz_id


def _fate(simulator: Simulator, numbers: Sequence[str]) -> str:
    for number in numbers:
        if number.startswith(MAGIC_PREFIX) and MAGIC.get(number[-4:]) in REQUEST_FATES:
            return MAGIC[number[-4:]]
    return simulator.fate(numbers[0], *REQUEST_FATES)


def _code_on_demand(simulator: Simulator, numbers: Sequence[str]) -> str:
    for number in numbers:
        if simulator.fate(number, "reject"):
            return "isv.MOBILE_NUMBER_ILLEGAL"
        code = code_for(number)
        if code:
            return code
    return ""


async def _spoil_answer(simulator: Simulator, fate: str) -> None:
    if fate == "drop_after":
        raise Cut
    if fate == "error_after":
        raise GatewayRefusal(502, "ServiceUnavailable", "Bad gateway.")
    if fate == "slow":
        await asyncio.sleep(simulator.faults.slow_seconds)
