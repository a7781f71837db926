"""First use: the catalogues, the templates that come with the product, and the first accounts."""

import secrets

from campaigns.templates import save_template
from outreach.governance.accounts import create_account
from outreach.labels.catalogue import load_builtin
from outreach.rendering.starters import STATEMENTS, Season, load_season
from outreach.runtime import Runtime
from outreach.web.taxpayers import CODE_TEMPLATE, LETTER_VARIABLES, LETTERS

_CODE_TEXT = "验证码{{ code }}，5分钟内有效，用于查看您的税费账单。工作人员不会向您索要，请勿告诉他人。"

FIRST_ACCOUNTS = {
    "admin": ("系统管理员", ("system_admin",)),
    "security": ("安全管理员", ("security_admin",)),
    "auditor": ("审计管理员", ("audit_admin",)),
}
"""The three separated administrators (GB/T 22239-2019); the security administrator gives all other roles."""


async def ensure_catalogue(rt: Runtime) -> None:
    """Labels and attributes that come with the product; nothing happens if they are there."""
    async with rt.db.begin() as conn:
        await load_builtin(conn)


async def ensure_root(rt: Runtime, name: str = "本单位") -> int:
    """The top unit, for a bureau that has imported none yet; its id."""
    row = await rt.db.fetch_one("select id from org_unit where level = 1 order by id limit 1")
    if row is None:
        await rt.db.execute(
            "insert into org_unit (id, parent_id, level, code, name, path)"
            " values (1, null, 1, '100000000', %(name)s, '1.')",
            {"name": name},
        )
        return 1
    root: int = row["id"]
    return root


async def ensure_templates(rt: Runtime, org_id: int) -> None:
    """The starter templates of the season and of documents, and the one-time code; saved again only where
    they have changed."""
    for season in (load_season(), load_season(STATEMENTS)):
        await _save_season(rt, season, org_id)
    await save_template(
        rt,
        "system",
        code=CODE_TEMPLATE,
        name="一次性验证码",
        channel="sms",
        content={"text": _CODE_TEXT},
        org_id=org_id,
    )
    for code, (name, content) in LETTERS.items():
        await save_template(
            rt,
            "system",
            code=code,
            name=name,
            channel="email",
            content=content,
            org_id=org_id,
            own_variables=LETTER_VARIABLES,
        )


async def _save_season(rt: Runtime, season: Season, org_id: int) -> None:
    own = frozenset(variable.name for variable in season.variables)
    for stage in season.stages:
        for channel, content in stage.contents.items():
            await save_template(
                rt,
                "system",
                code=f"{season.code}_{stage.code}",
                name=f"{stage.code} {stage.name}",
                channel=channel,
                content=content,
                org_id=org_id,
                own_variables=own,
            )


async def ensure_first_use(rt: Runtime) -> str:
    """Everything an empty database needs; the first password, or an empty string if accounts exist."""
    await ensure_catalogue(rt)
    root = await ensure_root(rt)
    await ensure_templates(rt, root)
    if await rt.db.fetch_one("select 1 as one from account limit 1"):
        return ""
    password = secrets.token_urlsafe(15)
    for login, (name, roles) in FIRST_ACCOUNTS.items():
        await create_account(
            rt, "system", login=login, display_name=name, password=password, org_id=root, roles=roles
        )
    return password
