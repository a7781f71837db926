"""What the simulated centre checks in a submit_sm, and how it reads texts. Source: sheet `smpp`."""

import re
from dataclasses import dataclass

from channels.gateways.smpp.wire import PAYLOAD, SAR, Account, Malformed, Reader, Status
from channels.lines.gsm import decode_gsm

_TIME = re.compile(r"(?:\d{15}[+-]|\d{15}R)?")
_NATIONAL = re.compile(r"1[3-9]\d{9}")
_INTERNATIONAL = re.compile(r"861[3-9]\d{9}")
_ROOM = {0: 160, 1: 160, 3: 140, 8: 140, 2: 140, 4: 140}
_UDH = 6


class Refused(Exception):
    """The request is answered with `status`."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass(frozen=True, slots=True)
class Submit:
    """A proper submit_sm: the phone in eleven digits and as it was written, its text or the part of it that
    is `number` of `total`, joined by `reference`."""

    number: str
    address: str
    source: str
    wants_report: bool
    text: str
    reference: int = 0
    part: int = 1
    total: int = 1


def read_submit(body: bytes, account: Account) -> Submit:
    """Take a submit_sm apart. Raises Refused."""
    try:
        return _read(Reader(body), account)
    except Malformed:
        raise Refused(Status.COMMAND_LENGTH) from None


def _read(reader: Reader, account: Account) -> Submit:
    service = reader.text(6)
    source_ton, source_npi, source = reader.number(), reader.number(), reader.text(21)
    ton, npi, address = reader.number(), reader.number(), reader.text(21)
    esm, _, priority = reader.number(), reader.number(), reader.number()
    schedule, validity = reader.text(17), reader.text(17)
    delivery, replace, coding, default = (reader.number() for _ in range(4))
    length = reader.number()
    content = reader.octets(length)
    options = reader.options()
    _expect(service == account.service_type, Status.SERVICE)
    _expect(source_ton <= 6 and source_npi <= 18, Status.SOURCE_TON)
    _expect(source.startswith(account.source), Status.SOURCE)
    number = _number(ton, npi, address)
    _expect(esm & 0x03 in (0, 3) and not esm & 0x3C, Status.ESM_CLASS)
    _expect(priority <= 3 and default == 0, Status.SUBMIT_FAILED)
    _expect(bool(_TIME.fullmatch(schedule)), Status.SCHEDULE)
    _expect(bool(_TIME.fullmatch(validity)), Status.EXPIRY)
    _expect(delivery in (0, 1, 2), Status.DELIVERY_FLAG)
    _expect(replace <= 1, Status.REPLACE_FLAG)
    _expect(coding in _ROOM, Status.SUBMIT_FAILED)
    udhi = bool(esm & 0x40)
    if PAYLOAD in options:
        _expect(length == 0, Status.MESSAGE_LENGTH)
        content = options[PAYLOAD]
    else:
        # Septets stand in octets of their own here, but the header takes seven of the 160.
        room = _ROOM[coding] - (1 if udhi and coding == 0 else 0)
        _expect(0 < length <= room, Status.MESSAGE_LENGTH)
    _expect(not (udhi and SAR & options.keys()), Status.TLV_NOT_ALLOWED)
    joint, rest = _joint(content) if udhi else (_sar(options), content)
    return Submit(number, address, source, delivery == 1, _decode(rest, coding), *joint)


def _expect(holds: bool, status: Status) -> None:
    if not holds:
        raise Refused(status)


def _number(ton: int, npi: int, address: str) -> str:
    _expect(ton <= 6 and npi <= 18, Status.DESTINATION_TON)
    shape = _INTERNATIONAL if ton == 1 else _NATIONAL
    _expect(bool(shape.fullmatch(address)), Status.DESTINATION)
    return address[-11:]


def _joint(content: bytes) -> tuple[tuple[int, int, int], bytes]:
    _expect(content[:3] == b"\x05\x00\x03" and len(content) > _UDH, Status.ESM_CLASS)
    reference, total, part = content[3], content[4], content[5]
    _expect(1 <= part <= total, Status.ESM_CLASS)
    return (reference, part, total), content[_UDH:]


def _sar(options: dict[int, bytes]) -> tuple[int, int, int]:
    if not SAR & options.keys():
        return 0, 1, 1
    try:
        reference, total, part = (int.from_bytes(options[tag]) for tag in sorted(SAR))
    except KeyError:
        raise Refused(Status.TLV_LENGTH) from None
    _expect(1 <= part <= total, Status.TLV_LENGTH)
    return reference, part, total


def _decode(content: bytes, coding: int) -> str:
    try:
        match coding:
            case 0:
                text = decode_gsm(content)
                _expect("\ufffd" not in text, Status.SUBMIT_FAILED)
                return text
            case 1:
                return content.decode("ascii")
            case 3:
                return content.decode("latin-1")
            case 8:
                return content.decode("utf-16-be")
    except UnicodeDecodeError:
        raise Refused(Status.SUBMIT_FAILED) from None
    return content.hex()
