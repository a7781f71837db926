"""Which messages share a request, and what its answer says about each of them.

Source: protocol sheet `tencent_sms`, SendSms: a request has one template, one signature, one set of
parameters and one SessionContext for all of its numbers.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from channels.base import Outbound, SendResult, accepted, refused, unknown
from channels.tencent.client import Answer
from channels.tencent.codes import meaning_of
from channels.tencent.numbers import full_number, is_domestic, is_mobile, local_number

_Form = tuple[str, str, tuple[str, ...], bool]


@dataclass(slots=True)
class _Open:
    first: int
    places: list[int] = field(default_factory=list)


def cut_requests(batch: Sequence[Outbound], most: int) -> list[list[int]]:
    """The places of the messages of each request, at most `most` in one, each message in one request.

    A report tells the key of its request's first message and a number; it means the first message to that
    number at or behind that key. So a message joins a request only if nothing between the request's first
    message and it goes to the same number, whichever request that is in.
    """
    requests: list[list[int]] = []
    open_requests: dict[_Form, _Open] = {}
    last_to: dict[str, int] = {}
    for place, message in enumerate(batch):
        number = local_number(message.address)
        form = _form(message)
        request = open_requests.get(form)
        if request is None or len(request.places) == most or last_to.get(number, -1) >= request.first:
            request = open_requests[form] = _Open(place)
            requests.append(request.places)
        request.places.append(place)
        last_to[number] = place
    return requests


def _form(message: Outbound) -> _Form:
    params = tuple(message.params.values())
    return message.template, message.signature, params, is_domestic(message.address)


def render(messages: Sequence[Outbound], sign_name: str) -> dict[str, Any]:
    """The parameters of SendSms for messages that `cut_requests` put together, the application aside."""
    first = messages[0]
    params: dict[str, Any] = {
        "PhoneNumberSet": [full_number(message.address) for message in messages],
        "TemplateId": first.template,
        "SignName": first.signature or sign_name,
        "SessionContext": first.key,
    }
    if first.params:
        params["TemplateParamSet"] = list(first.params.values())
    return params


def judge(answer: Answer, messages: Sequence[Outbound]) -> tuple[list[SendResult], bool]:
    """What an answer says about each message of its request, and whether the whole request was refused for
    what may be a single one of them. Whatever is not certain is unknown."""
    statuses = answer.data.get("SendStatusSet")
    if answer.ok and isinstance(statuses, list):
        found = _match(messages, [status for status in statuses if isinstance(status, dict)])
        return [_result(*pair) for pair in zip(messages, found, strict=True)], False
    code = answer.code or f"http_{answer.status}"
    meaning = meaning_of(answer.status, answer.code)
    if meaning is None or statuses:
        return [unknown(message.key, code) for message in messages], False
    results = [refused(message.key, meaning.fault, code, meaning.retry_after) for message in messages]
    return results, meaning.single


def _match(
    messages: Sequence[Outbound], statuses: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any] | None]:
    """By number; by order where the provider spells a number, an impossible one, in a way of its own."""
    by_number: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for status in statuses:
        by_number[_number(status)].append(status)
    wanted = [local_number(full_number(message.address)) for message in messages]
    found: list[Mapping[str, Any] | None] = []
    for place, number in enumerate(wanted):
        same = by_number.get(number, [])
        if len(same) == 1:
            found.append(same[0])
        elif len(statuses) == len(messages) and not (is_mobile(number) or _number(statuses[place]) in wanted):
            found.append(statuses[place])
        else:
            found.append(None)
    return found


def _number(status: Mapping[str, Any]) -> str:
    number = status.get("PhoneNumber")
    return local_number(number) if isinstance(number, str) else ""


def _result(message: Outbound, status: Mapping[str, Any] | None) -> SendResult:
    if status is None:
        return unknown(message.key, "no_status")
    code, ref = status.get("Code"), status.get("SerialNo")
    if code == "Ok":
        return accepted(message.key, ref if isinstance(ref, str) else "")
    if not isinstance(code, str):
        return unknown(message.key, "no_status")
    meaning = meaning_of(200, code)
    if meaning is None:
        return unknown(message.key, code)
    return refused(message.key, meaning.fault, code, meaning.retry_after)
