"""DELIVERs as pushes: the body is DELIVER after DELIVER, the answer DELIVER_RESP after DELIVER_RESP.

Source: sheet `cmpp`, sections 6 and 8. Repetition is told by Msg_Id; because some gateways use their numbers
again, what was said counts as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from channels.base import Inbound, InboundKind, Parsed, Receipt, WebhookReply
from channels.cmpp.codec import (
    Command,
    Deliver,
    Layout,
    cut_frames,
    read_deliver,
    read_report,
    write_deliver_answer,
    write_frame,
)
from channels.cmpp.codes import state_of
from channels.errors import WebhookRejected
from channels.lines.line import BadMessage, Frame
from channels.lines.talks import fingerprint, join_talks, local_number
from channels.lines.texts import read_joint
from channels.lines.uplinks import Piece

_STRUCTURE_ERROR = 1
_CHARSETS = {0: "ascii", 8: "utf-16-be", 15: "gb18030"}


@dataclass(frozen=True, slots=True)
class CmppPushes:
    """The DELIVERs of one version."""

    layout: Layout

    def write_push(self, frame: Frame) -> bytes:
        """See Pushes."""
        return write_frame(frame.command, frame.sequence, frame.body)

    def piece_of(self, frame: Frame) -> Piece | None:
        """See Pushes."""
        return piece_of(read_deliver(frame.body, self.layout))

    def refuse(self, frame: Frame) -> bytes:
        """See Pushes."""
        msg_id = int.from_bytes(frame.body[:8].ljust(8, b"\0"))
        return write_deliver_answer(frame.sequence, msg_id, _STRUCTURE_ERROR, self.layout)

    def defer(self, frame: Frame) -> bytes:
        """See Pushes: a gateway repeats what gets no answer."""
        return b""

    def read(self, body: bytes) -> Parsed:
        """Read DELIVERs; the parts of a long uplink are joined where they stand together. Raises
        WebhookRejected if one of them cannot be read."""
        buffer = bytearray(body)
        try:
            frames = cut_frames(buffer)
            if buffer or not frames or any(frame.command != Command.DELIVER for frame in frames):
                raise WebhookRejected("not a series of DELIVERs")
            delivers = [read_deliver(frame.body, self.layout) for frame in frames]
            receipts = tuple(_receipt(one) for one in delivers if one.is_report)
        except BadMessage as error:
            raise WebhookRejected(f"cannot be read: {error}") from error
        inbound = tuple(_inbounds([one for one in delivers if not one.is_report]))
        answers = (
            write_deliver_answer(frame.sequence, one.msg_id, 0, self.layout)
            for frame, one in zip(frames, delivers, strict=True)
        )
        return Parsed(receipts, inbound, WebhookReply(body=b"".join(answers)))


def _receipt(deliver: Deliver) -> Receipt:
    report = read_report(deliver.content)
    return Receipt(
        state_of(report.stat),
        ref=str(report.msg_id),
        address=local_number(report.number or deliver.source),
        code=report.stat,
        at=report.done_at,
    )


def piece_of(deliver: Deliver) -> Piece | None:
    """Which part of a long uplink it is; None for what stands alone."""
    if deliver.is_report or not deliver.udhi:
        return None
    joint, _ = read_joint(deliver.content)
    if joint is None or joint.total == 1:
        return None
    talk = (deliver.source, deliver.dest, joint.reference, joint.total)
    return Piece(talk, joint.number, joint.total)


def _inbounds(delivers: Sequence[Deliver]) -> Iterator[Inbound]:
    for parts in join_talks((piece_of(deliver), deliver) for deliver in delivers):
        first, text = parts[0], "".join(map(_text, parts))
        mark = f"{first.msg_id}-{fingerprint(first.source, text)}" if first.msg_id else ""
        yield Inbound(InboundKind.TEXT, local_number(first.source), text, provider_id=mark)


def _text(deliver: Deliver) -> str:
    content = read_joint(deliver.content)[1] if deliver.udhi else deliver.content
    charset = _CHARSETS.get(deliver.fmt)
    return content.decode(charset, "replace").replace("\0", "") if charset else ""
