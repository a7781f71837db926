"""What the simulated gateway checks in a SUBMIT, and how it reads texts. Source: sheet, sections 4 and 8."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.gateways.cmpp.account import VERSION_3, Account

STRUCTURE, COMMAND, REPEATED, LENGTH, FEE_CODE, TOO_LONG, SERVICE, BUSY = range(1, 9)
SOURCE, SENDER, FEE_NUMBER, DESTINATION = 10, 11, 12, 13
MOST_NUMBERS = 100

_NUMBER = re.compile(rb"(?:86)?(1[3-9]\d{9})")
_TIME = re.compile(rb"\d{12}\d\d\d[+-]\0")
_FEE_TYPES = {True: (b"01", b"02", b"03"), False: (b"01", b"02", b"03", b"04", b"05")}


class Refused(Exception):
    """The SUBMIT is answered with `result`."""

    def __init__(self, result: int) -> None:
        super().__init__(str(result))
        self.result = result


@dataclass(frozen=True, slots=True)
class Fragment:
    """A text or a part of one: `number` of `total`, joined by `reference`."""

    text: str
    reference: int
    number: int
    total: int


def check(fields: Mapping[str, Any], account: Account, version: int) -> list[str]:
    """The destinations of a proper SUBMIT in eleven digits. Raises Refused."""
    third = version >= VERSION_3
    _check_form(fields, third)
    _check_money(fields, account, third)
    if _text(fields["service_id"]) != account.service_id.encode():
        raise Refused(SERVICE)
    if _text(fields["msg_src"]) != account.sp_id.encode():
        raise Refused(SENDER)
    source = _text(fields["src_id"])
    if not source.startswith(account.source.encode()) or not source.isdigit() or len(source) > 20:
        raise Refused(SOURCE)
    return _numbers(fields, account)


def _check_form(fields: Mapping[str, Any], third: bool) -> None:
    sound = (
        fields["msg_id"] == 0
        and 1 <= fields["pk_number"] <= fields["pk_total"]
        and fields["registered"] <= (1 if third else 2)
        and fields["level"] <= 9
        and fields["udhi"] <= 1
        and fields["fmt"] in (0, 3, 4, 8, 15)
        and all(
            not fields[name].strip(b"\0") or _TIME.fullmatch(fields[name]) for name in ("valid", "at_time")
        )
        and not fields["tail"].strip(b"\0 ")
    )
    if not sound:
        raise Refused(STRUCTURE)
    if fields["length"] > (160 if fields["fmt"] == 0 else 140):
        raise Refused(TOO_LONG)
    if not fields["content"]:
        raise Refused(LENGTH)


def _check_money(fields: Mapping[str, Any], account: Account, third: bool) -> None:
    kinds = _FEE_TYPES[third]
    code = _text(fields["fee_code"])
    if fields["fee_type"] not in kinds or not (code.isdigit() or not code):
        raise Refused(FEE_CODE)
    if fields["fee_user"] > 3 or bool(_text(fields["fee_number"])) != (fields["fee_user"] == 3):
        raise Refused(FEE_NUMBER)


def _numbers(fields: Mapping[str, Any], account: Account) -> list[str]:
    numbers = []
    most = MOST_NUMBERS if account.groups else 1
    if not 1 <= fields["count"] <= most:
        raise Refused(STRUCTURE)
    for raw in fields["numbers"]:
        found = _NUMBER.fullmatch(_text(raw))
        if found is None:
            raise Refused(DESTINATION)
        numbers.append(found[1].decode())
    return numbers


def _text(raw: bytes) -> bytes:
    text, _, padding = raw.partition(b"\0")
    if padding.strip(b"\0"):
        raise Refused(STRUCTURE)
    return text


def read_fragment(fields: Mapping[str, Any]) -> Fragment:
    """The text of a SUBMIT without the header that joins parts. Raises Refused where TP_udhi, that header,
    Pk_total and Pk_number do not say the same."""
    content, total, number = fields["content"], fields["pk_total"], fields["pk_number"]
    if not fields["udhi"]:
        if total != 1:
            raise Refused(STRUCTURE)
        return Fragment(_decode(content, fields["fmt"]), 0, 1, 1)
    if content[:3] == b"\x05\x00\x03" and len(content) > 6:
        reference, told = content[3], content[4:6]
        rest = content[6:]
    elif content[:3] == b"\x06\x08\x04" and len(content) > 7:
        reference, told = int.from_bytes(content[3:5]), content[5:7]
        rest = content[7:]
    else:
        raise Refused(STRUCTURE)
    if (told[0], told[1]) != (total, number):
        raise Refused(STRUCTURE)
    return Fragment(_decode(rest, fields["fmt"]), reference, number, total)


def _decode(content: bytes, fmt: int) -> str:
    try:
        match fmt:
            case 0:
                return content.decode("ascii")
            case 8:
                # Halves of a surrogate pair in two parts would reach the phone as two wrong signs.
                return content.decode("utf-16-be")
            case 15:
                return content.decode("gb18030")
    except UnicodeDecodeError:
        raise Refused(STRUCTURE) from None
    return content.hex()
