"""What must not stand in a text: links, amounts, numbers of people and cards, threats.

The rules are those of domain requirement 4.4 and 4.5. They look at a rendered text or at a template's source
alike: `{{ due|money }}` is an amount too. A finding is advice with a place; who may override it is not
decided here.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_THREATS = (
    "处罚|罚款|立案|稽查|曝光|失信|黑名单|强制执行|法律责任|后果自负|自负后果|严惩|严肃处理|追究|拘留|冻结|扣押"
    "|查封|移送|公安|最后通牒|限制高消费|列入异常|否则"
)
_ESCALATION = "立案|曝光|拘留|移送|强制执行|公安|冻结|查封|最后通牒"
_TOP_LEVEL = (
    "com|cn|net|org|gov|edu|top|xyz|vip|cc|io|app|link|club|site|info|me|co|shop|ltd|tech|online|ink|wang"
)
_CHINESE_DIGITS = "零〇一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟"
_NEGATIONS = re.compile(r"(勿|不要|不得|不会|不需|无需|别|从不|绝不|谨防|拒绝)[^,。;!]*$")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u2060\ufeff\u00ad]")


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` is stable and English, `excerpt` what was found, `message` a Chinese sentence for staff."""

    rule: str
    excerpt: str
    message: str


def _pattern(rule: str, expression: str, message: str) -> Callable[[str], list[Finding]]:
    compiled = re.compile(expression, re.IGNORECASE)

    def find(text: str) -> list[Finding]:
        return [Finding(rule, match[0].strip(), message) for match in compiled.finditer(text)]

    return find


_find_links = _pattern(
    "link",
    r"https?://\S*|www\.\S+|"
    rf"(?<![a-z0-9@.-])[a-z0-9][a-z0-9-]{{0,62}}(?:\.[a-z0-9-]{{1,63}}){{0,5}}\.(?:{_TOP_LEVEL})(?![a-z0-9])\S*"
    r"|点击(?:下方|以下|此处)?(?:链接|网址)|\{\{\s{0,9}(?:link|url|\w{1,40}_url)\b",
    "短信不放链接：群众分不清真假，请写“登录个人所得税APP”",
)
_DIGITS = r"(?<![\d,.])\d[\d,.]{0,20}"
_find_amounts = _pattern(
    "amount",
    rf"[¥￥$]\s?{_DIGITS}|(?:RMB|人民币)\s?{_DIGITS}"
    rf"|{_DIGITS}\s?[{_CHINESE_DIGITS}]{{0,4}}\s?(?:元(?!旦|宵)|块钱|圆)"
    rf"|(?<![{_CHINESE_DIGITS}])[{_CHINESE_DIGITS}]{{1,20}}\s?(?:元(?!旦|宵|化)|块钱)"
    r"|\{\{[^{}]{0,80}\|\s{0,9}money\b|\}\}\s?[万亿]{0,2}元",
    "短信不写金额：涉税信息须保密，请让纳税人登录APP查看",
)
_find_names = _pattern(
    "name",
    r"\{\{\s*(?:name|姓名)\s*\}\}",
    "短信不写全名：请用 {{ name|mask_name }} 或去掉",
)
_find_mongolian = _pattern(
    "script",
    r"[\u1800-\u18af]+",
    "蒙古文不能用普通短信发送，请改用5G消息、APP或图片",
)
_find_phones = _pattern(
    "phone",
    r"(?<!\d)(?:1[3-9]\d{9}|0\d{2,3}-?\d{7,8}|400-?\d{3}-?\d{4})(?!\d)",
    "电话只写12366：陌生号码会被当成诈骗",
)
_NUMBER = re.compile(r"(?<![\dA-Za-z])\d(?:[ -]?\d){13,18}[\dXx]?(?![\dA-Za-z])")
_IDENTITY = re.compile(r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]")
_SECRETS = re.compile(r"(?:提供|输入|回复|告知|发送|填写|上报)[^,。;!]{0,8}?(?:验证码|密码|卡号|身份证号)")


def _find_numbers(text: str) -> list[Finding]:
    found = []
    for match in _NUMBER.finditer(text):
        digits = re.sub(r"[ -]", "", match[0])
        if _IDENTITY.fullmatch(digits):
            found.append(Finding("identity", match[0], "不写身份证号"))
        elif digits.isdigit() and _luhn(digits):
            found.append(Finding("card", match[0], "不写银行卡号"))
    return found


def _luhn(digits: str) -> bool:
    # ISO/IEC 7812-1 annex B.
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _find_secrets(text: str) -> list[Finding]:
    return [
        Finding("secret", match[0], "不得索要验证码、密码、卡号或证件号")
        for match in _SECRETS.finditer(text)
        if not _NEGATIONS.search(text[max(match.start() - 12, 0) : match.start()])
    ]


_find_threats = _pattern("threat", _THREATS, "本阶段只提醒不警告：请去掉威慑性用语")
_find_escalation = _pattern("threat", _ESCALATION, "立案、曝光等只能由专人以文书告知，不用短信")

_REQUIRED: dict[str, tuple[tuple[str, str], ...]] = {
    "B1": (("自愿", "写明退税自愿办理"), ("不收取", "写明不收取任何费用")),
    "C1": (("已办理请忽略", "写明“如已办理请忽略”"),),
    "D3": (("12366", "写明如何通过12366核实"),),
    "D4": (("不代替文书", "写明本短信不代替文书"),),
}
OPT_OUT = "拒收请回复R"
"""The form that the carriers ask for."""


def _find_missing(text: str, stage: str, publicity: bool) -> Iterable[Finding]:
    wanted = list(_REQUIRED.get(stage, ()))
    if publicity:
        wanted.append((OPT_OUT, f"宣传类短信须写明“{OPT_OUT}”"))
    for words, message in wanted:
        if words not in text:
            yield Finding("missing", words, f"缺少必要内容：{message}")


def find_forbidden(
    text: str, stage: str = "", *, channel: str = "sms", publicity: bool = False
) -> list[Finding]:
    """What is wrong with a text; empty if nothing is.

    `stage` is a stage of the season such as `B1` (threats are judged by it, and some stages must say certain
    things); without one the mild rules of A to C hold. `publicity`: a kind that people may refuse. Links,
    amounts, other phone numbers, full names and Mongolian script are refused in an SMS only; numbers of
    people and cards, demands for secrets and threats on every channel.
    """
    plain = _normalise(text)
    finders = [_find_numbers, _find_secrets, _find_escalation if stage[:1] == "D" else _find_threats]
    if channel == "sms":
        finders += [_find_links, _find_amounts, _find_phones, _find_names, _find_mongolian]
    found = [finding for find in finders for finding in find(plain)]
    if channel == "sms":
        found.extend(_find_missing(plain, stage, publicity))
    return found


def _normalise(text: str) -> str:
    # Full-width letters, invisible characters and an ideographic stop inside an address are the usual tricks.
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return re.sub(r"(?<=[A-Za-z0-9])[。．](?=[A-Za-z])", ".", plain)
