"""The parameters of SendSms and PullSmsSendStatusByPhoneNumber. Source: sheet, SendSms and pull."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from channels.gateways.tencent_sms.refusals import Refusal
from channels.gateways.tencent_sms.rules import (
    AccountLimits,
    Template,
    check_hour,
    compose_text,
    read_number,
)

SEND = ("PhoneNumberSet", "SmsSdkAppId", "TemplateId")
SEND_MORE = ("SignName", "TemplateParamSet", "ExtendCode", "SessionContext", "SenderId")
PULL = ("BeginTime", "Offset", "Limit", "PhoneNumber", "SmsSdkAppId")
PULL_MORE = ("EndTime",)
MOST_PULLED = 100
DAYS_KEPT = 7
LONGEST_CONTEXT = 512


@dataclass(frozen=True, slots=True)
class Sending:
    """What a SendSms asks for. `numbers` as they were given; which of them can be reached is judged one by
    one."""

    numbers: tuple[str, ...]
    text: str
    context: str


@dataclass(frozen=True, slots=True)
class Pull:
    """What a PullSmsSendStatusByPhoneNumber asks for; times in Unix seconds."""

    number: str
    begin: int
    end: int
    most: int


class Catalogue:
    """The applications of the account and what it has had approved."""

    def __init__(self, apps: Iterable[str], signatures: Iterable[str], templates: Mapping[str, str]) -> None:
        self.apps, self.signatures = set(apps), set(signatures)
        self._templates: dict[str, Template] = {}
        for number, body in templates.items():
            self.approve(number, body)

    def approve(self, number: str, body: str, kind: str = "notice", foreign: bool = False) -> None:
        """Approve a template. Raises ValueError if the reviewer would turn it down."""
        self._templates[number] = Template.of(number, body, kind, foreign)

    def template(self, number: str) -> Template:
        """An approved template. Raises Refusal."""
        if number not in self._templates:
            raise Refusal("FailedOperation.TemplateUnapprovedOrNotExist")
        return self._templates[number]

    def check_app(self, app: Any) -> None:
        """Raises Refusal for an application that is not the account's."""
        if app not in self.apps:
            raise Refusal("UnauthorizedOperation.SmsSdkAppIdVerifyFail")


def read_params(body: bytes, needed: tuple[str, ...], more: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object with these parameters and no others. Raises Refusal."""
    try:
        params = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal("InvalidParameter", "The body is no JSON.") from None
    if not isinstance(params, dict):
        raise Refusal("InvalidParameter", "The body is no JSON object.")
    for name in needed:
        if name not in params:
            raise Refusal("MissingParameter", f"The request is missing the parameter {name}.")
    for name in params:
        if name not in needed and name not in more:
            raise Refusal("UnknownParameter", f"The parameter {name} is not recognized.")
    return params


def read_send(body: bytes, catalogue: Catalogue, limits: AccountLimits, now: datetime) -> Sending:
    """SendSms. `now` is UTC+8. Raises Refusal."""
    params = read_params(body, SEND, SEND_MORE)
    numbers = params["PhoneNumberSet"]
    values = params.get("TemplateParamSet") or []
    context = params.get("SessionContext") or ""
    if not isinstance(numbers, list) or not all(isinstance(number, str) for number in numbers):
        raise Refusal("InvalidParameter", "PhoneNumberSet has to be an array of strings.")
    if not numbers:
        raise Refusal("MissingParameter.EmptyPhoneNumberSet")
    if len(numbers) > limits.numbers:
        raise Refusal("LimitExceeded.PhoneNumberCountLimit")
    if not isinstance(values, list) or not isinstance(context, str):
        raise Refusal("InvalidParameter", "TemplateParamSet or SessionContext is of a wrong type.")
    if len(context.encode()) > LONGEST_CONTEXT or params.get("ExtendCode"):
        raise Refusal("InvalidParameter", "SessionContext is too long, or ExtendCode is not enabled.")
    catalogue.check_app(params["SmsSdkAppId"])
    template = catalogue.template(params["TemplateId"])
    _check_countries(numbers, template)
    signature = params.get("SignName") or ""
    if signature not in catalogue.signatures and not (template.foreign and not signature):
        raise Refusal("FailedOperation.SignatureIncorrectOrUnapproved")
    check_hour(template, now)
    return Sending(tuple(numbers), compose_text(signature, template.render(values, limits.value)), context)


def _check_countries(numbers: Iterable[str], template: Template) -> None:
    foreign = {number.startswith("+") for number in map(read_number, numbers) if number}
    if len(foreign) > 1:
        raise Refusal("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber")
    if foreign == {True} and not template.foreign:
        raise Refusal("UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone")
    if foreign == {False} and template.foreign:
        raise Refusal("UnsupportedOperation.GlobalTemplateToChineseMainlandPhone")


def read_pull(body: bytes, catalogue: Catalogue, now: datetime) -> Pull:
    """PullSmsSendStatusByPhoneNumber. Raises Refusal."""
    params = read_params(body, PULL, PULL_MORE)
    catalogue.check_app(params["SmsSdkAppId"])
    begin, end = params["BeginTime"], params.get("EndTime", int(now.timestamp()) + 1)
    oldest = (now - timedelta(days=DAYS_KEPT)).timestamp() - 60
    if type(begin) is not int or begin < oldest:
        raise Refusal("InvalidParameterValue.BeginTimeVerifyFail")
    if type(end) is not int or end < begin:
        raise Refusal("InvalidParameterValue.EndTimeVerifyFail")
    if params["Offset"] != 0:
        raise Refusal("InvalidParameterValue.OffsetVerifyFail")
    if type(params["Limit"]) is not int or not 1 <= params["Limit"] <= MOST_PULLED:
        raise Refusal("InvalidParameterValue.LimitVerifyFail")
    number = read_number(str(params["PhoneNumber"]))
    if not number:
        raise Refusal("InvalidParameterValue.IncorrectPhoneNumber")
    return Pull(number, begin, end, params["Limit"])
