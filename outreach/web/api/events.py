"""Events: what the tax systems tell of taxpayers' doings, so that whoever has acted hears no more."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from fastapi import Request
from pydantic import Field, StrictFloat, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from campaigns.triggers import Happening, check_events, record_events
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor
from outreach.governance.vault import open_vault
from outreach.imports.cells import normalise
from outreach.registry.people import TAX_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model, Moment, SmallId, Text, examples
from outreach.web.permissions import actor_of

_SQL = load_queries(__file__)
MOST_EVENTS = 1_000
_AT = "2026-03-15T10:24:00+08:00"

routes = api_routes("/events", "办理事件")


_Name = Annotated[Text, Field(max_length=40)]
_Value = Annotated[Text, Field(max_length=100)] | StrictInt | StrictFloat


class Event(Model):
    """One event of one taxpayer, named by number or by our id."""

    key: Annotated[
        Text, Field(min_length=1, max_length=100, description="来源系统的唯一编号，重复推送不会重复计算")
    ]
    taxpayer_no: Annotated[Text, Field(min_length=1, max_length=40)] | None = Field(
        default=None, description="纳税人识别号、统一社会信用代码或证件号码"
    )
    taxpayer_id: SmallId | None = Field(default=None, description="本系统的户编号")
    type: Annotated[Text, Field(max_length=40, description="如 filed（已申报）、paid（已缴款）")]
    at: Annotated[Moment, Field(description="发生时间，带时区")]
    details: Annotated[dict[_Name, _Value], Field(max_length=10)] = Field(
        default={}, description="事件的附加信息，例如页面停留的 seconds 和 session；每种类型见文档"
    )

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.taxpayer_no is None) == (self.taxpayer_id is None):
            raise PydanticCustomError("one_of_two", "taxpayer_no 和 taxpayer_id 必须且只能填写一个")
        return self


class Events(Model):
    """Up to a thousand events."""

    model_config = examples(
        {
            "events": [
                {"key": "HSQJ-2026-000001", "taxpayer_no": "91330100MA2XXXXX0A", "type": "filed", "at": _AT},
                {"key": "HSQJ-2026-000002", "taxpayer_id": 12345, "type": "paid", "at": _AT},
                {
                    "key": "DZSWJ-2026-000003",
                    "taxpayer_id": 12345,
                    "type": "page_stay",
                    "at": _AT,
                    "details": {"seconds": 196.4, "session": "c2f7", "page": "vat-declare"},
                },
            ]
        }
    )
    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS)]


class Taken(Model):
    """`new` were kept; `repeated` were known; `outside` name taxpayers that are not in the key's scope."""

    new: int
    repeated: int
    outside: int


@routes.post("", permission="event.write", summary="推送办理事件（每次最多 1,000 条）")
async def take_events(request: Request, body: Events) -> Taken:
    """按 `key` 去重，可以放心重推。已办理的纳税人会立即从未发出的提醒中剔除；符合触发条件的马上发出消息。"""
    rt, actor = runtime_of(request), actor_of(request)
    # Before anybody is left out: the places that are named are those of the call.
    check_events([(event.type, event.details) for event in body.events])
    happenings = await _resolve(rt, actor, body.events)
    # Staff read the name; the key's own makes one system's numbers a space of their own.
    source = f"{actor.display_name}（{actor.name}）"
    new = await record_events(rt, happenings, source=source, scope_org_id=actor.org_id)
    return Taken(new=new, repeated=len(happenings) - new, outside=len(body.events) - len(happenings))


async def _resolve(rt: Runtime, actor: Actor, events: Sequence[Event]) -> list[Happening]:
    """The events of taxpayers in scope; the others are left out."""
    vault = open_vault(rt.settings)
    numbers = {event.taxpayer_no for event in events if event.taxpayer_no is not None}
    indexes = {number: vault.blind_index(TAX_NO_PURPOSE, normalise(number)) for number in numbers}
    ids = {event.taxpayer_id for event in events if event.taxpayer_id is not None}
    params = {"path": actor.org_path, "ids": list(ids), "indexes": list(indexes.values())}
    rows = await rt.db.fetch(_SQL["in_scope"], params)
    inside = {row["id"] for row in rows}
    by_index = {bytes(row["tax_no_bidx"]): row["id"] for row in rows}
    found = [_id_of(event, indexes, by_index) for event in events]
    return [
        Happening(event.key, number, event.type, event.at, event.details)
        for event, number in zip(events, found, strict=True)
        if number in inside
    ]


def _id_of(event: Event, indexes: Mapping[str, bytes], by_index: Mapping[bytes, int]) -> int:
    """The id of the event's taxpayer; 0, which is nobody's, for a number that is not in scope."""
    if event.taxpayer_no is not None:
        return by_index.get(indexes[event.taxpayer_no], 0)
    return event.taxpayer_id or 0
