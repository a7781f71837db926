"""Mails over one connection, one round trip each where the server takes PIPELINING (RFC 2920): the content of
a mail and the MAIL, RCPT and DATA of the next leave together.

Only the final dot hands a mail over (RFC 5321 section 4.1.1.4, RFC 1047): before it is written nothing was
accepted, after it nothing is certain until the reply.
"""

from collections.abc import Callable
from dataclasses import dataclass

from channels.base import SendResult, refused, unknown
from channels.email_smtp.connection import Connection, Lost
from channels.email_smtp.replies import Reply, Stage, refuse, settle
from channels.errors import Fault


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to leave: its place in the batch, its MAIL and RCPT commands, its content up to and with
    the final dot."""

    position: int
    key: str
    commands: tuple[bytes, bytes]
    content: bytes


class Interrupted(Exception):
    """The connection cannot be used any more. `unsent` was in hand and is certainly not accepted; the
    interruption was not its fault. `stale`: the server had closed an idle connection, no sign of trouble."""

    def __init__(self, fault: Fault, unsent: Mail | None, *, stale: bool = False) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.unsent = unsent
        self.stale = stale


class Courier:
    """Carries mails from `take` over a connection and hands each result to `settle`."""

    def __init__(
        self,
        connection: Connection,
        take: Callable[[Connection], Mail | None],
        done: Callable[[Mail, SendResult], None],
    ) -> None:
        self._connection = connection
        self._take = take
        self._done = done
        self._pipelining = "PIPELINING" in connection.features
        self._maybe_stale = connection.carried > 0

    async def run(self) -> None:
        """Carry until there is nothing left. Raises Interrupted."""
        mail = self._take(self._connection)
        self._connection.write(self._opening(mail))
        while mail is not None:
            mail = await self._carry(mail)

    def _opening(self, mail: Mail | None) -> bytes:
        return b"".join((*mail.commands, b"DATA\r\n")) if mail and self._pipelining else b""

    async def _carry(self, mail: Mail) -> Mail | None:
        refusal, farewell = await self._negotiate(mail)
        following = self._take(self._connection)
        if refusal is None:
            self._connection.write(mail.content + self._opening(following))
            self._done(mail, await self._settle(mail, following))
            return following
        self._done(mail, refusal)
        self._connection.write(farewell + self._opening(following))
        await self._clear(following)
        return following

    async def _negotiate(self, mail: Mail) -> tuple[SendResult | None, bytes]:
        """The refusal, if any, and what ends the transaction then."""
        try:
            replies = await self._ask(mail)
        except Lost as error:
            if self._maybe_stale:
                raise Interrupted(Fault.UNREACHABLE, mail, stale=True) from error
            self._done(mail, refused(mail.key, Fault.UNREACHABLE, str(error)))
            raise Interrupted(Fault.UNREACHABLE, None) from error
        self._maybe_stale = False
        return self._judge(mail, replies)

    async def _ask(self, mail: Mail) -> list[Reply]:
        replies: list[Reply] = []
        for command in (*mail.commands, b"DATA\r\n"):
            if not self._pipelining:
                self._connection.write(command)
            replies.append(await self._connection.reply())
            code = replies[-1].code
            if code == 421 or (code >= 400 and not self._pipelining):
                break
        return replies

    def _judge(self, mail: Mail, replies: list[Reply]) -> tuple[SendResult | None, bytes]:
        for stage, reply in zip(Stage, replies, strict=False):
            if reply.code == 421:
                self._done(mail, refuse(mail.key, stage, reply))
                raise Interrupted(Fault.THROTTLED, None)
            if reply.code >= 400:
                # A server may ask for the content of a refused recipient; then an empty one ends it.
                opened = len(replies) == 3 and replies[-1].code == 354
                return refuse(mail.key, stage, reply), b".\r\n" if opened else b"RSET\r\n"
        if [reply.code // 100 for reply in replies] != [2, 2, 3]:
            self._done(mail, refused(mail.key, Fault.UNREACHABLE, "unexpected reply"))
            raise Interrupted(Fault.UNREACHABLE, None)
        return None, b""

    async def _settle(self, mail: Mail, following: Mail | None) -> SendResult:
        try:
            reply = await self._connection.reply()
        except Lost as error:
            self._done(mail, unknown(mail.key, str(error)))
            raise Interrupted(Fault.UNREACHABLE, following) from error
        if reply.code == 421:
            self._done(mail, settle(mail.key, reply))
            raise Interrupted(Fault.THROTTLED, following)
        return settle(mail.key, reply)

    async def _clear(self, following: Mail | None) -> None:
        try:
            reply = await self._connection.reply()
        except Lost as error:
            raise Interrupted(Fault.UNREACHABLE, following) from error
        if reply.code == 421:
            raise Interrupted(Fault.THROTTLED, following)
