"""Templates that staff write: checked when they are saved, so that nothing is missing when they are sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.ledger.content import compile_content
from outreach.ledger.letters import BUILT_IN
from outreach.ledger.notices import NOTICES, check_notice
from outreach.ledger.rich import PARTS, check_rich
from outreach.rendering.expressions import check_variables
from outreach.runtime import Runtime

SQL = load_queries(__file__)

SHAPES = {
    "sms": ({"text"}, set[str]()),
    "rcs": ({"text", "title", "body"}, PARTS),
    "wechat": ({"fields"}, {"url"}),
    "email": ({"subject", "html", "text"}, set[str]()),
    "wecom": ({"text"}, {"title", "url"}),
    "dingtalk": ({"text"}, {"title", "url"}),
    "call": ({"text"}, set[str]()),
    "visit": ({"text"}, set[str]()),
}
"""Per channel: the parts that a content must have, and those that it may have."""

SPOKEN = ("call", "visit")
"""What people say at a telephone and at a door: scripts that name no amount and no other tax information."""

CAMPAIGN_VARIABLES = frozenset({"tax_year", "deadline", "window_from", "window_to", "correct_by"})
"""Values that a campaign gives to its templates."""


@dataclass(frozen=True, slots=True)
class SavedTemplate:
    """A stored version."""

    template_id: int
    version_id: int
    version: int
    variables: tuple[str, ...]


async def save_template(
    rt: Runtime,
    by: str,
    *,
    code: str,
    name: str,
    channel: str,
    content: Mapping[str, Any],
    org_id: int,
    language: str = "zh",
    own_variables: frozenset[str] = frozenset(),
) -> SavedTemplate:
    """Check a content and store it as a new version. Raises InvalidInput with the place that is wrong."""
    _check_shape(channel, content)
    compiled = compile_content(channel, content)
    async with rt.db.begin() as conn:
        attributes = await (await conn.execute("select code from attribute")).fetchall()
        known = BUILT_IN | CAMPAIGN_VARIABLES | own_variables
        if channel not in SPOKEN:
            known |= {row["code"] for row in attributes}
        for template in compiled.strings.values():
            check_variables(template, known)
        row = await (
            await conn.execute(
                SQL["ensure_template"],
                {"code": code, "name": name, "channel": channel, "language": language, "org_id": org_id},
            )
        ).fetchone()
        assert row is not None
        variables = tuple(sorted(compiled.variables))
        version = await _add_version(conn, row["id"], content, variables, by)
        return SavedTemplate(row["id"], version["id"], version["version"], variables)


async def _add_version(
    conn: Connection, template_id: int, content: Mapping[str, Any], variables: tuple[str, ...], by: str
) -> dict[str, Any]:
    digest = sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
    keys = {
        "template_id": template_id,
        "content": Jsonb(dict(content)),
        "variables": list(variables),
        "hash": digest,
        "by": by,
    }
    row = await (await conn.execute(SQL["add_version"], keys)).fetchone()
    if row is None:
        row = await (await conn.execute(SQL["newest_version"], {"template_id": template_id})).fetchone()
    assert row is not None
    return row


def _check_shape(channel: str, content: Mapping[str, Any]) -> None:
    if channel not in SHAPES:
        raise InvalidInput(f"没有渠道 {channel}，可用：{'、'.join(SHAPES)}", field="channel")
    required, optional = SHAPES[channel]
    for part in sorted(required - set(content)):
        raise InvalidInput(f"模板缺少「{part}」部分", field=part)
    for part in sorted(set(content) - required - optional):
        raise InvalidInput(f"{channel} 模板没有「{part}」部分", field=part)
    if channel in NOTICES:
        check_notice(channel, content)
    if channel == "rcs":
        check_rich(content)


async def file_template(conn: Connection, version_id: int, gateway_id: int, provider_code: str) -> None:
    """Note under which code a provider has filed a version."""
    keys = {"version_id": version_id, "gateway_id": gateway_id, "code": provider_code}
    await conn.execute(SQL["file_version"], keys)
