"""Parameters that several operations take. Source: sheet, section 3."""

from collections.abc import Mapping
from typing import Any

import orjson

from channels.gateways.aliyun_api.refusals import BusinessRefusal, GatewayRefusal

LONGEST_OUT_ID = 255


def need(params: Mapping[str, str], name: str) -> str:
    """A parameter that must be there. Raises GatewayRefusal."""
    value = params.get(name, "")
    if not value:
        raise GatewayRefusal(400, f"Missing{name}", f"{name} is mandatory for this action.")
    return value


def read_out_id(params: Mapping[str, str]) -> str:
    """The caller's own reference, if there is one. Raises BusinessRefusal."""
    out_id = params.get("OutId", "")
    if len(out_id) > LONGEST_OUT_ID:
        raise BusinessRefusal("isv.INVALID_PARAMETERS", "OutId过长")
    return out_id


def read_json(text: str) -> Any:
    """A parameter that holds JSON. Raises BusinessRefusal."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BusinessRefusal("isv.INVALID_JSON_PARAM", "参数不是合法的JSON") from None
