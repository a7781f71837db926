"""The adapter of CMPP."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from channels.base import Adapter, Channel, Config, Facts, Outbound, Parsed, Push, SendResult, WebhookRequest
from channels.cmpp import codec
from channels.cmpp.codec import LAYOUTS, DayTotals, SubmitForm
from channels.cmpp.codes import MEANINGS
from channels.cmpp.config import CmppConfig
from channels.cmpp.dialect import CmppDialect
from channels.cmpp.pushes import CmppPushes
from channels.cmpp.submits import Submits
from channels.errors import Fault, GatewayError
from channels.lines.account import LineAccount, Manner, verify_line
from channels.lines.line import BadMessage, Peer
from channels.lines.tables import read_table
from channels.lines.talks import local_number
from channels.lines.texts import cut_text


class Cmpp(Adapter):
    """SUBMIT, DELIVER, QUERY, ACTIVE_TEST, TERMINATE over long connections.

    A report names a text by the Msg_Id that the gateway gave in its answer, never by our key, and the gateway
    cannot be asked about a single text: what got no answer stays unknown (class D).
    """

    name: ClassVar[str] = "cmpp"
    facts: ClassVar[Facts] = Facts(Channel.SMS, batch_size=100, features=frozenset({"uplink"}))
    config_type: ClassVar[type[Config]] = CmppConfig
    listens: ClassVar[bool] = True

    def __init__(self, config: CmppConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        layout, form = LAYOUTS[config.version], _form(config)
        prefix = "86" if config.country_code else ""
        self._pushes = CmppPushes(layout)
        self._account = LineAccount(
            Peer(config.host, config.port, config.window, config.heartbeat, 2 * config.timeout),
            CmppDialect(config.sp_id, config.secret.get_secret_value(), layout, config.verify_gateway, now),
            self._pushes,
            Submits(form, {**MEANINGS, **read_table(config.result_codes)}),
            Manner(
                lambda address: form.pad(prefix + local_number(address)), cut_text, config.numbers_per_submit
            ),
            connections=config.connections,
            timeout=config.timeout,
        )

    async def open(self) -> None:
        """Connect once; further connections follow. Raises GatewayError."""
        await self._account.open()

    async def close(self) -> None:
        """Take leave of the gateway."""
        await self._account.close()

    def listen(self, push: Push) -> None:
        """Keep all connections open and hand in what comes down on them."""
        self._account.listen(push)

    async def check(self) -> None:
        """Log in on a further connection and test it; nothing is sent. Raises GatewayError."""
        await self._account.check()

    async def day_totals(self, day: datetime, service_id: str = "") -> DayTotals:
        """The gateway's own count of a day of China time, to compare with ours. Raises GatewayError."""
        frame = await self._account.ask(lambda sequence: codec.write_query(sequence, day, service_id))
        try:
            return codec.read_query_answer(frame.body)
        except BadMessage as error:
            raise GatewayError(Fault.UNREACHABLE, "网关对日统计查询的应答无法识别") from error

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """Send over all connections, as many at a time as their windows hold."""
        return await self._account.send(batch)

    def verify(self, request: WebhookRequest) -> None:
        """Reports come over the connection only. Raises WebhookRejected."""
        verify_line(request)

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read DELIVERs. Raises WebhookRejected."""
        return self._pushes.read(request.body)


def _form(config: CmppConfig) -> SubmitForm:
    return SubmitForm(
        LAYOUTS[config.version],
        sp_id=config.sp_id,
        service_id=config.service_id,
        source=config.source,
        fee_user=int(config.fee_user),
        fee_type=config.fee_type,
        fee_code=config.fee_code,
    )
