"""The adapter of SMPP 3.4."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from channels.base import Adapter, Channel, Config, Facts, Outbound, Parsed, Push, SendResult, WebhookRequest
from channels.lines.account import LineAccount, Manner, verify_line
from channels.lines.line import Peer
from channels.lines.tables import read_table
from channels.lines.talks import local_number
from channels.lines.texts import Part
from channels.smpp.codec import Place, write_text
from channels.smpp.codes import MEANINGS
from channels.smpp.config import SmppConfig
from channels.smpp.dialect import SmppDialect
from channels.smpp.pushes import SmppPushes
from channels.smpp.submits import Submits, cut_for_phones, keep_whole

_LONGEST_NUMBER = 20


class Smpp(Adapter):
    """bind_transceiver, submit_sm, deliver_sm, enquire_link, unbind over long connections.

    A receipt names a text by the message_id of the centre's answer, never by our key: what got no answer
    stays unknown (class D).
    """

    name: ClassVar[str] = "smpp"
    facts: ClassVar[Facts] = Facts(Channel.SMS, batch_size=1, features=frozenset({"uplink"}))
    config_type: ClassVar[type[Config]] = SmppConfig
    listens: ClassVar[bool] = True

    def __init__(self, config: SmppConfig) -> None:
        self._pushes = SmppPushes(config.id_in_report, config.id_in_answer)
        source = Place(int(config.source_ton), int(config.source_npi), config.source)
        dest = Place(1, 1) if config.country_code else Place(0, 1)
        meanings = {**MEANINGS, **read_table(config.result_codes)}
        is_gsm = config.alphabet == "gsm7"

        def cut(text: str, reference: int) -> Sequence[Part]:
            if config.long_texts == "payload":
                return keep_whole(text, gsm=is_gsm)
            return cut_for_phones(text, reference, gsm=is_gsm)

        self._account = LineAccount(
            Peer(config.host, config.port, config.window, config.heartbeat, 2 * config.timeout),
            SmppDialect(config.system_id, config.password.get_secret_value(), config.system_type),
            self._pushes,
            Submits(config.service_type, source, dest, meanings, config.id_in_answer),
            Manner(partial(_pad, "86" if config.country_code else ""), cut),
            connections=config.connections,
            timeout=config.timeout,
        )

    async def open(self) -> None:
        """Connect once; further connections follow. Raises GatewayError."""
        await self._account.open()

    async def close(self) -> None:
        """Take leave of the centre."""
        await self._account.close()

    def listen(self, push: Push) -> None:
        """Keep all connections open and hand in what comes down on them."""
        self._account.listen(push)

    async def check(self) -> None:
        """Bind on a further connection and test it; nothing is sent. Raises GatewayError."""
        await self._account.check()

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """Send over all connections, as many at a time as their windows hold."""
        return await self._account.send(batch)

    def verify(self, request: WebhookRequest) -> None:
        """Reports come over the connection only. Raises WebhookRejected."""
        verify_line(request)

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read deliver_sm. Raises WebhookRejected."""
        return self._pushes.read(request.body)


def _pad(prefix: str, address: str) -> bytes:
    number = prefix + local_number(address)
    if not address or len(number) > _LONGEST_NUMBER:
        raise ValueError("number")
    return write_text(number)
