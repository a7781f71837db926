"""deliver_sm as pushes: the body is deliver_sm after deliver_sm, the answer as many deliver_sm_resp.

Receipts tell by optional parameters, by text, or by both (sheet `smpp`). Their times are not read: no
document says whose clock they are of. An uplink has no number of its own, so one that the centre repeats is
kept twice.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from channels.base import Inbound, InboundKind, Parsed, Receipt, WebhookReply
from channels.errors import WebhookRejected
from channels.lines.gsm import decode_gsm
from channels.lines.line import BadMessage, Frame
from channels.lines.talks import join_talks, local_number
from channels.lines.texts import read_joint
from channels.lines.uplinks import Piece
from channels.smpp.codec import Command, DeliverSm, Tag, cut_frames, read_deliver, write_frame
from channels.smpp.codes import state_of
from channels.smpp.submits import Base, canonical_id

_SYSTEM_ERROR, _TEMPORARY_ERROR = 0x08, 0x64
_CHARSETS = {1: "ascii", 3: "latin-1", 8: "utf-16-be"}
_FIELD = re.compile(r"\b(id|stat|err):\s*(\S*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SmppPushes:
    """The deliver_sm of one account; `base`: how the text of a receipt writes message_ids, `answer_base`: how
    the answer to submit_sm writes them."""

    base: Base
    answer_base: Base

    def write_push(self, frame: Frame) -> bytes:
        """See Pushes."""
        return write_frame(frame.command, frame.sequence, frame.body)

    def piece_of(self, frame: Frame) -> Piece | None:
        """See Pushes."""
        return piece_of(read_deliver(frame.body))

    def refuse(self, frame: Frame) -> bytes:
        """See Pushes."""
        return write_frame(Command.DELIVER_SM_RESP, frame.sequence, b"\0", _SYSTEM_ERROR)

    def defer(self, frame: Frame) -> bytes:
        """See Pushes."""
        return write_frame(Command.DELIVER_SM_RESP, frame.sequence, b"\0", _TEMPORARY_ERROR)

    def read(self, body: bytes) -> Parsed:
        """Read deliver_sm; the parts of a long uplink are joined where they stand together. Raises
        WebhookRejected if one of them cannot be read."""
        buffer = bytearray(body)
        try:
            frames = cut_frames(buffer)
            if buffer or not frames or any(frame.command != Command.DELIVER_SM for frame in frames):
                raise WebhookRejected("not a series of deliver_sm")
            delivers = [read_deliver(frame.body) for frame in frames]
        except BadMessage as error:
            raise WebhookRejected(f"cannot be read: {error}") from error
        told = [self._receipt(one) for one in delivers if one.is_report]
        answers = (write_frame(Command.DELIVER_SM_RESP, frame.sequence, b"\0") for frame in frames)
        return Parsed(
            tuple(receipt for receipt in told if receipt),
            tuple(_inbounds([one for one in delivers if not one.is_report])),
            WebhookReply(body=b"".join(answers)),
        )

    def _receipt(self, deliver: DeliverSm) -> Receipt | None:
        text = deliver.content.decode("ascii", "replace")
        # The first of a name counts: at the end stands what we have sent ourselves.
        told = {name.lower(): value for name, value in reversed(_FIELD.findall(text))}
        tagged = deliver.tags.get(Tag.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0]
        ref = canonical_id(told.get("id", ""), self.base)
        if tagged:
            ref = canonical_id(tagged.decode("ascii", "replace"), self.answer_base)
        number = deliver.tags.get(Tag.MESSAGE_STATE, b"")
        found = state_of(number[0] if len(number) == 1 else None, told.get("stat", "").upper())
        if not ref or found is None:
            return None
        state, code = found
        detail = told.get("err", "")
        if detail.strip("0"):
            code = f"{code} {detail}"
        return Receipt(state, ref=ref, address=local_number(deliver.source), code=code)


def piece_of(deliver: DeliverSm) -> Piece | None:
    """Which part of a long uplink it is, by its header or by its optional parameters; None for what stands
    alone."""
    if deliver.is_report:
        return None
    if deliver.has_header:
        joint, _ = read_joint(deliver.content)
        told = (joint.reference, joint.total, joint.number) if joint else (0, 1, 1)
    else:
        told = _sar(deliver)
    reference, total, number = told
    if not 1 <= number <= total <= 255 or total == 1:
        return None
    return Piece((deliver.source, deliver.dest, reference, total), number, total)


def _sar(deliver: DeliverSm) -> tuple[int, int, int]:
    tags = (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    reference, total, number = (int.from_bytes(deliver.tags.get(tag, b"")) for tag in tags)
    return reference, total, number


def _inbounds(delivers: Sequence[DeliverSm]) -> Iterator[Inbound]:
    for parts in join_talks((piece_of(deliver), deliver) for deliver in delivers):
        text = "".join(map(_text, parts))
        yield Inbound(InboundKind.TEXT, local_number(parts[0].source), text)


def _text(deliver: DeliverSm) -> str:
    content = read_joint(deliver.content)[1] if deliver.has_header else deliver.content
    if deliver.data_coding == 0:
        return decode_gsm(content).replace("\0", "")
    charset = _CHARSETS.get(deliver.data_coding)
    return content.decode(charset, "replace").replace("\0", "") if charset else ""
