"""The API's own description: complete enough to write a client from, in Chinese, with an example for every
body; and its examples are true."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from outreach.governance.permissions import PERMISSIONS
from outreach.web.api import campaigns, events, keys, segments, taxpayers, templates
from outreach.web.api.routers import api_routers
from tests.integration.api_town import Town


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = FastAPI()
    for router in api_routers():
        app.include_router(router)
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def test_every_operation_says_in_chinese_what_it_does(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert not operation["summary"].isascii(), name
        assert not operation["description"].isascii(), name
        assert operation["x-permission"] in PERMISSIONS, name
        assert operation["security"] == [{"api_key": []}], name
        assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), name


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    bodies = [(name, op["requestBody"]) for name, op in operations(document) if "requestBody" in op]
    assert len(bodies) >= 9
    for name, body in bodies:
        (media,) = body["content"].values()
        schema = resolved(document, media["schema"])
        parts = schema["properties"].values()
        assert schema.get("examples") or all(part.get("examples") for part in parts), name


@pytest.mark.parametrize(
    "model",
    [
        events.Events,
        taxpayers.Wanted,
        taxpayers.StatementOrder,
        segments.SegmentDraft,
        segments.Question,
        segments.WhyQuestion,
        templates.TemplateDraft,
        templates.Draft,
        campaigns.CampaignIn,
        keys.KeyOrder,
    ],
)
def test_the_examples_are_true(model: type[BaseModel]) -> None:
    examples = model.model_json_schema()["examples"]
    assert examples
    for example in examples:
        model.model_validate(example)


async def test_the_document_is_served(town: Town) -> None:
    answer = await town.client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert "/api/v1/events" in answer.json()["paths"]
    assert not any(path.startswith(("/console", "/hooks")) for path in answer.json()["paths"])
