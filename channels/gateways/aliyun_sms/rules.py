"""Templates, parameters, numbers and lengths. Source: sheet, sections 3 and 5."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.gateways.aliyun_api.refusals import BusinessRefusal

LONGEST_VALUE = 35
LONGEST_TEXT = 500
PROMOTION_ENDING = "拒收请回复R"
_NUMBER = re.compile(r"(?:\+86|0086|86)?(1[3-9]\d{9})", re.ASCII)
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_URL = re.compile(r"https?://|www\.|[a-z0-9-]\.(?:com|cn|net|org|gov|top|link)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: literal pieces and variable names alternate in `pieces`."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, code: str, body: str, promotion: bool = False) -> "Template":
        """Review a template. Raises ValueError, as the reviewer would turn it down."""
        if not code.startswith("SMS_"):
            raise ValueError(f"模板编号 {code} 应以 SMS_ 开头")
        if "【" in body or "】" in body or len(body) > LONGEST_TEXT or not body:
            raise ValueError(f"模板 {code} 的正文不能为空，不能含【】，不超过 {LONGEST_TEXT} 字")
        if promotion and not body.endswith(PROMOTION_ENDING):
            raise ValueError(f"推广模板 {code} 应以“{PROMOTION_ENDING}”结尾")
        return cls(tuple(_VARIABLE.split(body)))

    def render(self, values: Mapping[str, Any]) -> str:
        """The body for one person. Raises BusinessRefusal."""
        pieces = list(self.pieces)
        for place in range(1, len(pieces), 2):
            if pieces[place] not in values:
                raise BusinessRefusal("isv.TEMPLATE_MISSING_PARAMETERS", f"模板缺少变量{pieces[place]}")
            pieces[place] = _value(pieces[place], values[pieces[place]])
        return "".join(pieces)


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BusinessRefusal("isv.TEMPLATE_PARAMS_ILLEGAL", f"变量{name}应为字符串")
    text = str(value)
    if len(text) > LONGEST_VALUE:
        raise BusinessRefusal("isv.PARAM_LENGTH_LIMIT", f"变量{name}超过{LONGEST_VALUE}字")
    if _URL.search(text):
        raise BusinessRefusal("isv.PARAM_NOT_SUPPORT_URL", f"变量{name}不支持网址")
    if "【" in text or "】" in text:
        raise BusinessRefusal("isv.SMS_CONTENT_ILLEGAL", "正文不能含【】")
    return text


def read_number(raw: Any) -> str:
    """The eleven digits of a mobile number. Raises BusinessRefusal."""
    match = _NUMBER.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise BusinessRefusal("isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误")
    return match[1]


def count_parts(text: str) -> int:
    """Billed parts of 【signature】 + body: 70 characters in one, otherwise 67 each.

    A character is a UCS-2 unit, so an emoji counts twice.
    """
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= 70 else math.ceil(units / 67)


def compose_text(signature: str, body: str) -> str:
    """What arrives on the phone. Raises BusinessRefusal if it is too long."""
    text = f"【{signature}】{body}"
    if len(text) > LONGEST_TEXT:
        raise BusinessRefusal("isv.PARAM_LENGTH_LIMIT", f"短信超过{LONGEST_TEXT}字")
    return text
