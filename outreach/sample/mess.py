"""The mistakes that real files hold: each way breaks one good row of a taxpayers file.

A way knows what an import must say about it. `Breakage.bytes_of` ways work on the encoded line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from outreach.imports.numbers import card_check_digit, credit_check_digit

Row = dict[str, str]

NUMBER, NAME, KIND, ORG = "纳税人识别号", "纳税人名称", "纳税人类型", "主管税务机关代码"
INDUSTRY, DATE, MOBILE = "行业代码", "登记日期", "手机号码"
NATURAL, ENTERPRISE = "自然人", "企业"


@dataclass(frozen=True, slots=True)
class Breakage:
    """A way to break a row: for which kind of taxpayer (empty: any), what is said of it, and of which
    column; `refused` tells whether the whole row is left out."""

    name: str
    change: Callable[[Row, Random], Row]
    field: str
    reason: str
    refused: bool = True
    kind: str = ""
    bytes_of: Callable[[bytes], bytes] = bytes


def _set(header: str, text: str) -> Callable[[Row, Random], Row]:
    return lambda row, _: {**row, header: text}


def _cut(row: Row, _: Random) -> Row:
    return {**row, NUMBER: row[NUMBER][:9] + row[NUMBER][10:]}


def _letter(position: int, letter: str) -> Callable[[Row, Random], Row]:
    def apply(row: Row, _: Random) -> Row:
        return {**row, NUMBER: row[NUMBER][:position] + letter + row[NUMBER][position + 1 :]}

    return apply


def _other_check_digit(row: Row, rng: Random) -> Row:
    number = row[NUMBER]
    wrong = rng.choice([digit for digit in "0123456789" if digit != number[-1]])
    return {**row, NUMBER: number[:-1] + wrong}


def _card(change: Callable[[str], str]) -> Callable[[Row, Random], Row]:
    """Another first 17 digits, with a check digit that fits."""

    def apply(row: Row, _: Random) -> Row:
        first = change(row[NUMBER][:17])
        return {**row, NUMBER: first + card_check_digit(first)}

    return apply


def _credit_region(row: Row, _: Random) -> Row:
    first = row[NUMBER][:2] + "A" + row[NUMBER][3:17]
    return {**row, NUMBER: first + credit_check_digit(first)}


def _same(row: Row, _: Random) -> Row:
    return row


def _garble(line: bytes) -> bytes:
    cut = line.index(b",")
    return line[: cut + 1] + b"\xff\xff" + line[cut + 1 :]


def _open_quote(line: bytes) -> bytes:
    cut = line.index(b",")
    return line[: cut + 1] + b'"' + line[cut + 1 :]


def _more_cells(line: bytes) -> bytes:
    return line.rstrip(b"\r\n") + b",,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20\r\n"


BREAKAGES: tuple[Breakage, ...] = (
    Breakage("check digit of a card", _other_check_digit, NUMBER, "校验位不对", kind=NATURAL),
    Breakage("check digit of a credit code", _other_check_digit, NUMBER, "校验位不对", kind=ENTERPRISE),
    Breakage("number too short", _cut, NUMBER, "位数不对"),
    Breakage(
        "letter in a card",
        _letter(16, "O"),
        NUMBER,
        "不允许的字符",
        kind=NATURAL,
    ),
    Breakage(
        "letter I in a credit code",
        _letter(12, "I"),
        NUMBER,
        "不允许的字符",
        kind=ENTERPRISE,
    ),
    Breakage("number empty", _set(NUMBER, ""), NUMBER, "为空"),
    Breakage("number in scientific notation", _set(NUMBER, "9.11599E+17"), NUMBER, "科学计数"),
    Breakage(
        "impossible birthday",
        _card(lambda first: first[:10] + "1332" + first[14:]),
        NUMBER,
        "不是有效日期",
        kind=NATURAL,
    ),
    Breakage("unknown province", _card(lambda first: "70" + first[2:]), NUMBER, "行政区划", kind=NATURAL),
    Breakage("letter in the district", _credit_region, NUMBER, "行政区划", kind=ENTERPRISE),
    Breakage("name empty", _set(NAME, "　"), NAME, "为空"),
    Breakage("name destroyed", _set(NAME, "????"), NAME, "乱码"),
    Breakage("unknown kind", _set(KIND, "集体户"), KIND, "应为企业"),
    Breakage("kind against number", _set(KIND, ENTERPRISE), NUMBER, "类型与识别号不一致", kind=NATURAL),
    Breakage(
        "person with a company's number", _set(KIND, NATURAL), NUMBER, "类型与识别号不一致", kind=ENTERPRISE
    ),
    Breakage("unknown office", _set(ORG, "11599999999"), ORG, "没有这个税务机关代码"),
    Breakage("office empty", _set(ORG, ""), ORG, "为空"),
    Breakage("too many cells", _same, "", "列数比表头多", bytes_of=_more_cells),
    Breakage("open quote", _same, "", "引号没有成对", bytes_of=_open_quote),
    Breakage("undecodable bytes", _same, "", "编码有误", bytes_of=_garble),
    Breakage("impossible date", _set(DATE, "2025-02-30"), DATE, "不是有效日期", refused=False),
    Breakage("date in the future", _set(DATE, "2999-01-01"), DATE, "合理范围", refused=False),
    Breakage("unknown mobile prefix", _set(MOBILE, "15412345678"), MOBILE, "号段不存在", False, NATURAL),
    Breakage("mobile too short", _set(MOBILE, "1380013800"), MOBILE, "位数不对", False, NATURAL),
    Breakage("no industry", _set(INDUSTRY, "第三产业"), INDUSTRY, "不是国民经济行业代码", refused=False),
)


def fitting(row: Row, start: int) -> Breakage:
    """The first way from a position on, around the circle, that suits the row's kind."""
    for step in range(len(BREAKAGES)):
        way = BREAKAGES[(start + step) % len(BREAKAGES)]
        if way.kind in ("", row[KIND]):
            return way
    raise ValueError(f"no way to break a row of kind {row[KIND]}")


def new_identity(row: Row, rng: Random) -> Row:
    """The same household under another number, so that both may be imported."""
    number = row[NUMBER]
    while True:
        serial = f"{rng.randrange(1000):03}"
        first = number[:14] + serial if row[KIND] == NATURAL else number[:10] + f"{rng.randrange(10**7):07}"
        digit = card_check_digit(first) if row[KIND] == NATURAL else credit_check_digit(first)
        if first + digit != number:
            return {**row, NUMBER: first + digit}
