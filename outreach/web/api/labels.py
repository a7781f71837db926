"""The catalogue: labels and attributes that expressions and templates may use."""

from fastapi import Request

from outreach.labels.catalogue import list_catalogue
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model, pick_all

routes = api_routes("", "标签与属性")


class Label(Model):
    """A label; `options` maps the code of each value to its name (labels of kind `value`)."""

    code: str
    name: str
    kind: str
    options: dict[str, str]
    category: str
    source: str
    catalogue_version: str
    is_local: bool
    description: str


class Attribute(Model):
    """A typed value: money in yuan, integer, percent or date."""

    code: str
    name: str
    type: str
    unit: str
    category: str
    source: str
    catalogue_version: str
    is_local: bool
    description: str


class Labels(Model):
    """By category."""

    rows: list[Label]


class Attributes(Model):
    """By category."""

    rows: list[Attribute]


@routes.get("/labels", permission="segment.read", summary="标签目录")
async def show_labels(request: Request) -> Labels:
    """全国目录和本地扩展中现行有效的标签。"""
    async with runtime_of(request).db.begin() as conn:
        return Labels(rows=pick_all(Label, (await list_catalogue(conn))["labels"]))


@routes.get("/attributes", permission="segment.read", summary="属性目录")
async def show_attributes(request: Request) -> Attributes:
    """表达式和模板可以使用的数值、金额、比例和日期。"""
    async with runtime_of(request).db.begin() as conn:
        return Attributes(rows=pick_all(Attribute, (await list_catalogue(conn))["attributes"]))
