"""The types at the edge: text that can be stored, ids that fit, and the parts of every list."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from outreach.web.reads.paging import LARGEST, PAGE

_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_FIRST_YEAR, _LAST_YEAR = 1990, 2200
LARGEST_ID = 2**31 - 1


def _clean(text: str) -> str:
    if _UNSTORABLE.search(text):
        raise PydanticCustomError("control_characters", "含有控制字符或无效的字符编码，请删除")
    return text


def _plausible(moment: datetime) -> datetime:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise PydanticCustomError("implausible_moment", "时间不合理，年份应在 1990 到 2200 之间")
    return moment


Text = Annotated[str, AfterValidator(_clean)]
"""Text without control characters other than tab and newline, and without halves of surrogate pairs."""

Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
"""A moment with its offset, ISO 8601: 2026-03-15T09:00:00+08:00."""

SmallId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
"""An id in a body."""

PathId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
"""An id in a path."""

Cursor = Annotated[Text, Query(max_length=200, description="上一页返回的 `next`；第一页留空")]
Limit = Annotated[int, Query(ge=1, le=LARGEST, description="每页最多几行")]
Search = Annotated[Text, Query(max_length=100, description="名称或编码中包含的文字")]
FIRST = PAGE


class Model(BaseModel):
    """A body or an answer. Unknown fields are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Row = TypeVar("Row", bound=Model)


class Listing(Model, Generic[Row]):
    """One page of a list; `next` is the cursor of the next page, null at the end."""

    rows: list[Row]
    next: str | None = None


def pick(model: type[Row], row: dict[str, Any]) -> Row:
    """A row of the database as an answer; columns that the answer does not name are left out."""
    return model.model_validate({name: row[name] for name in model.model_fields})


def pick_all(model: type[Row], rows: Sequence[dict[str, Any]]) -> list[Row]:
    """Several rows."""
    return [pick(model, row) for row in rows]


def examples(*given: dict[str, Any]) -> ConfigDict:
    """The model configuration with examples for the API's description."""
    return ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": list(given)})
