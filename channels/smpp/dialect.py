"""SMPP as a connection speaks it: bind_transceiver, enquire_link, unbind (sheet `smpp`)."""

from dataclasses import dataclass, field

from channels.errors import GatewayError
from channels.lines.line import BadMessage, Frame, Line, Role
from channels.smpp import codec
from channels.smpp.codec import Command, Place
from channels.smpp.codes import code_of, refusal_of

_ANSWER = 0x80000000
_UNKNOWN_COMMAND = 0x03
_ROLES: dict[int, Role] = {Command.DELIVER_SM: Role.PUSH, Command.UNBIND: Role.FAREWELL}
_REPLIES: dict[int, Command] = {
    Command.UNBIND: Command.UNBIND_RESP,
    Command.ENQUIRE_LINK: Command.ENQUIRE_LINK_RESP,
}


@dataclass(frozen=True, slots=True)
class SmppDialect:
    """One account's."""

    system_id: str
    password: str = field(repr=False)
    system_type: str
    largest_sequence: int = 0x7FFFFFFF

    def cut_frames(self, buffer: bytearray) -> list[Frame]:
        """See Dialect."""
        return codec.cut_frames(buffer)

    def role_of(self, frame: Frame) -> Role:
        """See Dialect. generic_nack answers what it names the sequence of."""
        if frame.command & _ANSWER:
            return Role.ANSWER
        return _ROLES.get(frame.command, Role.REQUEST)

    def write_reply(self, frame: Frame) -> bytes:
        """See Dialect. What is not known here is refused by generic_nack."""
        reply = _REPLIES.get(frame.command)
        if reply is None:
            return codec.write_frame(Command.GENERIC_NACK, frame.sequence, status=_UNKNOWN_COMMAND)
        return codec.write_frame(reply, frame.sequence)

    def write_probe(self, sequence: int) -> bytes:
        """See Dialect."""
        return codec.write_frame(Command.ENQUIRE_LINK, sequence)

    def write_farewell(self, sequence: int) -> bytes:
        """See Dialect."""
        return codec.write_frame(Command.UNBIND, sequence)

    async def log_in(self, line: Line, until: float) -> None:
        """bind_transceiver."""
        frame = await line.ask(
            lambda sequence: codec.write_bind(
                sequence, self.system_id, self.password, self.system_type, Place(0, 0)
            ),
            until,
        )
        if frame.status:
            fault, advice = refusal_of(frame.status)
            code = code_of(frame.status)
            raise GatewayError(fault, f"{advice}（状态 {code}）", code)
        if frame.command != Command.BIND_TRANSCEIVER | _ANSWER:
            raise BadMessage("not an answer to a bind")
