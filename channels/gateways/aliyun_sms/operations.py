"""The parameters of SendSms, SendBatchSms and QuerySendDetails. Source: sheet, section 3."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from channels.gateways.aliyun_api.limits import AccountLimits
from channels.gateways.aliyun_api.params import need, read_json, read_out_id
from channels.gateways.aliyun_api.refusals import BusinessRefusal
from channels.gateways.aliyun_sms.rules import (
    Template,
    compose_text,
    count_parts,
    read_number,
)

MOST_PER_PAGE = 50
DAYS_KEPT = 30


@dataclass(frozen=True, slots=True)
class Text:
    """One message of a sending, its number in eleven digits."""

    number: str
    text: str
    parts: int


@dataclass(frozen=True, slots=True)
class Sending:
    """What a SendSms or SendBatchSms asks for, every rule of section 5 about its content checked."""

    texts: tuple[Text, ...]
    template: str
    out_id: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a QuerySendDetails asks for."""

    number: str
    day: str
    biz_id: str
    page: int
    size: int


class Catalogue:
    """What the account has had approved."""

    def __init__(self, signatures: Iterable[str], templates: Mapping[str, str]) -> None:
        self.signatures = set(signatures)
        self._templates: dict[str, Template] = {}
        for code, body in templates.items():
            self.approve(code, body)

    def approve(self, code: str, body: str, promotion: bool = False) -> None:
        """Approve a template. Raises ValueError if the reviewer would turn it down."""
        self._templates[code] = Template.of(code, body, promotion)

    def template(self, code: str) -> Template:
        """An approved template. Raises BusinessRefusal."""
        if code not in self._templates:
            raise BusinessRefusal("isv.SMS_TEMPLATE_ILLEGAL", "短信模板不合法")
        return self._templates[code]

    def compose(self, signature: Any, template: Template, number: Any, values: Any) -> Text:
        """One message. Raises BusinessRefusal."""
        if signature not in self.signatures:
            raise BusinessRefusal("isv.SMS_SIGNATURE_ILLEGAL", "短信签名不合法")
        if not isinstance(values, dict):
            raise BusinessRefusal("isv.INVALID_JSON_PARAM", "模板参数应为JSON对象")
        text = compose_text(signature, template.render(values))
        return Text(read_number(number), text, count_parts(text))


def read_send(params: Mapping[str, str], catalogue: Catalogue, limits: AccountLimits) -> Sending:
    """SendSms. Raises GatewayRefusal, BusinessRefusal."""
    numbers = need(params, "PhoneNumbers").split(",")
    signature, code = need(params, "SignName"), need(params, "TemplateCode")
    if len(numbers) > limits.numbers:
        raise BusinessRefusal("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
    template = catalogue.template(code)
    values = read_json(params.get("TemplateParam") or "{}")
    texts = tuple(catalogue.compose(signature, template, number, values) for number in numbers)
    return Sending(texts, code, read_out_id(params))


def read_batch(params: Mapping[str, str], catalogue: Catalogue, limits: AccountLimits) -> Sending:
    """SendBatchSms. Raises GatewayRefusal, BusinessRefusal."""
    numbers = _array(need(params, "PhoneNumberJson"))
    signatures = _array(need(params, "SignNameJson"))
    code = need(params, "TemplateCode")
    if len(numbers) > limits.batch_numbers:
        raise BusinessRefusal("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
    raw = params.get("TemplateParamJson")
    values = _array(raw) if raw else [{}] * len(numbers)
    if not numbers or not len(numbers) == len(signatures) == len(values):
        raise BusinessRefusal("isv.INVALID_PARAMETERS", "号码、签名和参数的个数应相同")
    template = catalogue.template(code)
    rows = zip(signatures, numbers, values, strict=True)
    texts = tuple(catalogue.compose(signature, template, number, given) for signature, number, given in rows)
    return Sending(texts, code, read_out_id(params))


def read_query(params: Mapping[str, str], today: datetime) -> Question:
    """QuerySendDetails. `today` in UTC+8. Raises GatewayRefusal, BusinessRefusal."""
    number, day = read_number(need(params, "PhoneNumber")), need(params, "SendDate")
    size, page = need(params, "PageSize"), need(params, "CurrentPage")
    days = {f"{today - timedelta(days=ago):%Y%m%d}" for ago in range(DAYS_KEPT + 1)}
    # Midnight may pass between the caller's clock and this one.
    days.add(f"{today + timedelta(minutes=15):%Y%m%d}")
    whole = size.isdecimal() and page.isdecimal()
    if day not in days or not whole or not 1 <= int(size) <= MOST_PER_PAGE or int(page) < 1:
        raise BusinessRefusal("isv.INVALID_PARAMETERS", "日期或分页参数不合法")
    return Question(number, day, params.get("BizId", ""), int(page), int(size))


def _array(text: str) -> list[Any]:
    value = read_json(text)
    if not isinstance(value, list):
        raise BusinessRefusal("isv.INVALID_JSON_PARAM", "参数应为JSON数组")
    return value
