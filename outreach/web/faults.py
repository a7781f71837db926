"""What pydantic says about a value, in Chinese: which field, why, what to do.

Source of the type names: pydantic's table of validation errors; what is not listed keeps its own words.
"""

from collections.abc import Mapping
from typing import Any

_REASONS = {
    "missing": "必填，没有填写",
    "extra_forbidden": "没有这个字段，请检查拼写",
    "json_invalid": "请求体不是有效的 JSON",
    "json_type": "请求体不是有效的 JSON",
    "model_type": "应是一个对象",
    "model_attributes_type": "应是一个 JSON 对象，请求头 Content-Type 为 application/json",
    "dict_type": "应是一个对象",
    "list_type": "应是一个列表",
    "too_short": "至少要有 {min_length} 项",
    "too_long": "最多 {max_length} 项",
    "string_type": "应是文字",
    "string_unicode": "含有无效的字符编码",
    "string_too_short": "至少 {min_length} 个字",
    "string_too_long": "最多 {max_length} 个字",
    "string_pattern_mismatch": "格式不对",
    "int_type": "应是整数",
    "int_parsing": "应是整数",
    "int_parsing_size": "数字太大",
    "int_from_float": "应是整数",
    "float_type": "应是数字",
    "float_parsing": "应是数字",
    "finite_number": "应是有限的数字",
    "bool_type": "应是 true 或 false",
    "bool_parsing": "应是 true 或 false",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "less_than": "应小于 {lt}",
    "less_than_equal": "应不大于 {le}",
    "literal_error": "只能是 {expected}",
    "enum": "只能是 {expected}",
    "datetime_type": "应是时间，如 2026-03-15T09:00:00+08:00",
    "datetime_parsing": "应是时间，如 2026-03-15T09:00:00+08:00",
    "datetime_from_date_parsing": "应是时间，如 2026-03-15T09:00:00+08:00",
    "datetime_object_invalid": "没有这个时间",
    "timezone_aware": "时间要带时区，如 2026-03-15T09:00:00+08:00",
    "date_type": "应是日期，如 2026-03-15",
    "date_parsing": "应是日期，如 2026-03-15",
    "date_from_datetime_parsing": "应是日期，如 2026-03-15",
}


def reason_of(fault: Mapping[str, Any]) -> str:
    """The reason of one of pydantic's errors (`type`, `msg`, `ctx`)."""
    template = _REASONS.get(fault["type"])
    return template.format_map(fault.get("ctx") or {}) if template else str(fault["msg"])
