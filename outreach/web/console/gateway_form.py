"""The form of a gateway account, drawn from the adapter's own settings: a new provider needs no page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from outreach.errors import InvalidInput
from outreach.ledger.gateways import CARRIED, GatewayDraft
from outreach.web.faults import reason_of

_PREFIX = "config-"
_LARGEST_RATE, _LARGEST_BURST = 100_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: its name in the form, its Chinese title and hint, how it is entered."""

    name: str
    title: str
    hint: str
    kind: str
    required: bool
    default: str
    options: tuple[str, ...] = ()


def fields_of(adapter: str) -> list[Field]:
    """The settings of an adapter in its order, what must be entered first. Raises InvalidInput."""
    if adapter not in CARRIED:
        raise InvalidInput("没有这种网关，请从列表中选择。", field="adapter")
    schema = CARRIED[adapter].config_type.model_json_schema()
    required = set(schema.get("required", ()))
    found = [_field(name, rule, name in required) for name, rule in schema["properties"].items()]
    return sorted(found, key=lambda field: not field.required)


def draft_of(adapter: str, form: Mapping[str, Any]) -> GatewayDraft:
    """The account that the form says. Raises InvalidInput with `faults`, all of them by field."""
    faults: dict[str, str] = {}
    name = str(form.get("name", "")).strip()
    if not 1 <= len(name) <= 60:
        faults["name"] = "请起一个 1 到 60 个字的名称，例如 移动云MAS·短信。"
    rate = _number(form, "rate", _LARGEST_RATE, faults)
    burst = _number(form, "burst", _LARGEST_BURST, faults)
    config = _config(adapter, form, faults)
    if faults:
        raise InvalidInput("有几项需要修改。", faults=faults)
    secret = str(config.get("callback_secret") or "")
    return GatewayDraft(name, adapter, config, float(rate), burst, secret=secret)


def _config(adapter: str, form: Mapping[str, Any], faults: dict[str, str]) -> dict[str, Any]:
    entered = {field.name.removeprefix(_PREFIX): _entered(field, form) for field in fields_of(adapter)}
    given = {key: value for key, value in entered.items() if value != ""}
    try:
        CARRIED[adapter].config_type.model_validate(given)
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(str(part) for part in fault["loc"]) or next(iter(entered))
            faults.setdefault(f"{_PREFIX}{place}", reason_of(fault) + "。")
        return {}
    # What was typed, not what the model would tell: a model shows stars in place of its secrets.
    return given


def _entered(field: Field, form: Mapping[str, Any]) -> Any:
    if field.kind == "checkbox":
        return field.name in form
    return str(form.get(field.name, "")).strip()


def _number(form: Mapping[str, Any], name: str, largest: int, faults: dict[str, str]) -> int:
    text = str(form.get(name, "")).strip()
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= largest:
        faults[name] = f"请填写 1 到 {largest:,} 的整数。"
        return 1
    return int(text)


def _field(name: str, rule: Mapping[str, Any], required: bool) -> Field:
    default = rule.get("default", "")
    return Field(
        f"{_PREFIX}{name}",
        rule.get("title", name),
        rule.get("description", ""),
        _kind(rule),
        required,
        str(default).lower() if isinstance(default, bool) else str(default if default is not None else ""),
        tuple(str(option) for option in rule.get("enum", ())),
    )


def _kind(rule: Mapping[str, Any]) -> str:
    if rule.get("writeOnly"):
        return "password"
    if "enum" in rule:
        return "select"
    return "checkbox" if rule.get("type") == "boolean" else "text"
