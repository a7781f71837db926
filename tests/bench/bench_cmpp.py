"""CMPP in CPU time of one core: SUBMITs encoded, reports decoded, texts sent through a whole connection.

The ceiling of encoding is one `struct.pack` of the same octets with nothing around it. The last row has
adapter and simulated gateway in one process: it is what both cost together.

    .venv/bin/python -m tests.bench --only cmpp
"""

import struct
import time
from collections.abc import Callable

from channels.base import Outbound, Outcome, WebhookRequest
from channels.cmpp import Cmpp, CmppConfig
from channels.cmpp.codec import LAYOUTS, SubmitForm
from channels.gateways.cmpp import Account, CmppSimulator
from channels.gateways.cmpp import fields as wire
from channels.lines.texts import cut_text
from channels.lines.uplinks import METHOD
from tests.bench.rows import Row, rate

_TEXT = "【示例市税务局】2025年度汇算尚未办理，请登录个人所得税APP办理。"
_BUDGET = 20_000
_PIECE = 100


async def run(quick: bool) -> list[Row]:
    """50,000 messages each when quick, otherwise 400,000; a tenth of them over a connection."""
    count = 50_000 if quick else 400_000
    rows = []
    for version in LAYOUTS:
        encoded = _per_second(count, _encoder(version))
        bare = _per_second(count, _packer(version))
        rows.append(
            rate(f"SUBMIT {version} encoded", encoded, unit="messages/s", budget=_BUDGET, ceiling=bare)
        )
    rows.append(rate("reports decoded", _decoded(count // 10), unit="reports/s", budget=_BUDGET))
    rows.append(rate("texts sent, gateway included", await _sent(count // 10), unit="messages/s"))
    return rows


def _per_second(count: int, write: Callable[[int], bytes]) -> float:
    began = time.process_time()
    for number in range(count):
        write(number)
    return count / (time.process_time() - began)


def _encoder(version: str) -> Callable[[int], bytes]:
    form = SubmitForm(LAYOUTS[version], sp_id="900001", service_id="TAX", source="10690012366")

    def write(number: int) -> bytes:
        [part] = cut_text(f"{_TEXT}{number % 10}", number & 255)
        return form.write(number, part, [form.pad(f"1391{number % 10_000_000:07d}")])

    return write


def _packer(version: str) -> Callable[[int], bytes]:
    message = _encoder(version)(0)
    pack = struct.Struct(f">III{len(message) - 12}s").pack
    body = message[12:]
    return lambda number: pack(len(message), 4, number, body)


def _decoded(count: int) -> float:
    adapter = Cmpp(CmppConfig(host="127.0.0.1", sp_id="900001", secret="x", source="1069"))
    body = b"".join(_report(number) for number in range(_PIECE))
    request = WebhookRequest(METHOD, "", {}, {}, body)
    began = time.process_time()
    for _ in range(count // _PIECE):
        assert len(adapter.parse(request).receipts) == _PIECE
    return count / (time.process_time() - began)


def _report(number: int) -> bytes:
    mobile = b"1391%07d" % number
    content = b"".join(
        (number.to_bytes(8), b"DELIVRD", b"26112211302611221131", mobile.ljust(32, b"\0"), bytes(4))
    )
    fields = {"msg_id": number, "source": mobile, "registered": 1, "length": len(content)}
    return wire.write_message(5, number, wire.write(wire.DELIVER_3, fields) + content + bytes(20))


async def _sent(count: int) -> float:
    account, simulator = Account(), CmppSimulator()
    simulator.faults = simulator.faults.__class__(silent=1.0)
    host, _, port = (await simulator.start()).partition(":")
    adapter = Cmpp(
        CmppConfig(
            host=host,
            port=int(port),
            sp_id=account.sp_id,
            secret=account.secret,
            source=account.source,
            service_id=account.service_id,
            connections=4,
        )
    )
    await adapter.open()
    batches = [
        [Outbound(str(n), f"1391{n:07d}", _TEXT) for n in range(start, start + _PIECE)]
        for start in range(0, count, _PIECE)
    ]
    began = time.process_time()
    for batch in batches:
        assert {result.outcome for result in await adapter.send(batch)} == {Outcome.ACCEPTED}
    spent = time.process_time() - began
    await adapter.close()
    await simulator.stop()
    return count / spent
