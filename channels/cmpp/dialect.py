"""CMPP as a connection speaks it: CONNECT, ACTIVE_TEST, TERMINATE (sheet `cmpp`, sections 1 to 3)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from channels.cmpp import codec
from channels.cmpp.codec import Command, Layout
from channels.cmpp.codes import refusal_of
from channels.errors import Fault, GatewayError
from channels.lines.line import Frame, Line, Role

_ROLES: dict[int, Role] = {
    Command.DELIVER: Role.PUSH,
    Command.ACTIVE_TEST: Role.REQUEST,
    Command.TERMINATE: Role.FAREWELL,
}


@dataclass(frozen=True, slots=True)
class CmppDialect:
    """One account's. `verify`: the gateway must prove that it knows the secret, too."""

    sp_id: str
    secret: str = field(repr=False)
    layout: Layout
    verify: bool
    now: Callable[[], datetime]
    largest_sequence: int = 0xFFFFFFFF

    def cut_frames(self, buffer: bytearray) -> list[Frame]:
        """See Dialect."""
        return codec.cut_frames(buffer)

    def role_of(self, frame: Frame) -> Role:
        """See Dialect. What nobody asked for belongs to no pending sequence and is passed over."""
        return _ROLES.get(frame.command, Role.ANSWER)

    def write_reply(self, frame: Frame) -> bytes:
        """See Dialect."""
        if frame.command == Command.TERMINATE:
            return codec.write_frame(Command.TERMINATE_RESP, frame.sequence)
        return codec.write_frame(Command.ACTIVE_TEST_RESP, frame.sequence, b"\0")

    def write_probe(self, sequence: int) -> bytes:
        """See Dialect."""
        return codec.write_frame(Command.ACTIVE_TEST, sequence)

    def write_farewell(self, sequence: int) -> bytes:
        """See Dialect."""
        return codec.write_frame(Command.TERMINATE, sequence)

    async def log_in(self, line: Line, until: float) -> None:
        """CONNECT."""
        stamp, version = codec.stamp_of(self.now()), self.layout.version
        frame = await line.ask(
            lambda sequence: codec.write_connect(sequence, self.sp_id, self.secret, version, stamp), until
        )
        answer = codec.read_connect_answer(frame.body)
        if answer.status:
            fault, advice = refusal_of(answer.status)
            raise GatewayError(fault, f"{advice}（状态 {answer.status}）", str(answer.status))
        source = codec.authenticate(self.sp_id, self.secret, stamp)
        if self.verify and not codec.is_genuine(answer, source, self.secret):
            raise GatewayError(Fault.UNAUTHORIZED, "网关没有证明它知道共享密钥，请核对地址，或关闭“校验网关”")
