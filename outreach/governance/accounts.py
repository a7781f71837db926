"""Accounts: who exists, which roles are held, which state."""

from collections.abc import Iterable
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.passwords import check_new_password, hash_password, verify_password
from outreach.governance.permissions import ROLES, check_roles
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
STATES = {"active": "正常", "locked": "已锁定", "closed": "已停用"}


async def create_account(
    rt: Runtime,
    actor: Actor | str,
    *,
    login: str,
    display_name: str,
    password: str,
    org_id: int,
    roles: Iterable[str] = (),
) -> int:
    """Add an account and return its id; a `str` actor is the set-up itself and may give roles at once.

    Raises InvalidInput (login taken, weak password, unknown role), NotAllowed (roles from someone without
    `role.assign`), NotFound (org unit outside the actor's scope).
    """
    wanted = check_roles(roles)
    login = _check_login(login)
    administrator = any(ROLES[code].administrator for code in wanted)
    check_new_password(password, login=login, administrator=administrator)
    if wanted and isinstance(actor, Actor) and not actor.may("role.assign"):
        raise NotAllowed("新建账号的人不能同时授予角色，请由安全管理员分配。")
    hashed = await hash_password(password)
    async with rt.db.begin() as conn:
        await _require_org(conn, actor, org_id)
        params = {
            "login": login,
            "display_name": display_name.strip() or login,
            "hash": hashed,
            "org_id": org_id,
        }
        row = await (await conn.execute(_SQL["create"], params)).fetchone()
        if row is None:
            raise InvalidInput(f"登录名「{login}」已经有人使用，请换一个。", field="login")
        for role in sorted(wanted):
            await conn.execute(_SQL["give_role"], {"id": row["id"], "role": role})
        await append_audit(
            conn, actor, "account.create", f"account:{row['id']}", {"org": org_id, "roles": sorted(wanted)}
        )
        return int(row["id"])


async def assign_roles(rt: Runtime, actor: Actor, account_id: int, roles: Iterable[str]) -> None:
    """Replace the roles of an account. Nobody changes their own; the three powers stay apart."""
    wanted = check_roles(roles)
    if actor.id == account_id:
        raise NotAllowed("不能修改自己的角色，请由另一位安全管理员办理。")
    async with rt.db.begin() as conn:
        account = await find_account(conn, actor, account_id)
        await conn.execute(_SQL["lock"], {"id": account_id})
        await conn.execute(_SQL["take_roles"], {"id": account_id})
        for role in sorted(wanted):
            await conn.execute(_SQL["give_role"], {"id": account_id, "role": role})
        await conn.execute(_SQL["end_sessions"], {"id": account_id})
        detail = {"before": sorted(account["roles"]), "after": sorted(wanted)}
        await append_audit(conn, actor, "account.roles", f"account:{account_id}", detail)


async def set_state(rt: Runtime, actor: Actor, account_id: int, state: str) -> None:
    """Lock, unlock or close an account; its sessions end at once. Nobody locks themselves out."""
    if state not in STATES:
        raise InvalidInput("账号状态只能是正常、已锁定、已停用。", field="state")
    if actor.id == account_id:
        raise Conflict("不能修改自己的账号状态。")
    async with rt.db.begin() as conn:
        account = await find_account(conn, actor, account_id)
        if account["state"] == "closed":
            raise Conflict("账号已停用，不能恢复；请新建账号。")
        await conn.execute(_SQL["set_state"], {"id": account_id, "state": state})
        await conn.execute(_SQL["end_sessions"], {"id": account_id})
        await append_audit(conn, actor, "account.state", f"account:{account_id}", {"state": state})


async def change_password(rt: Runtime, actor: Actor, current: str, new: str) -> None:
    """Change one's own password; every session of the account ends. Raises InvalidInput."""
    row = await rt.db.fetch_one(_SQL["secret"], {"id": actor.id})
    if row is None or not await verify_password(row["password_hash"], current):
        raise InvalidInput("当前密码不对。", field="current")
    administrator = any(ROLES[code].administrator for code in row["roles"] if code in ROLES)
    check_new_password(new, login=row["login"], administrator=administrator)
    hashed = await hash_password(new)
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["set_password"], {"id": actor.id, "hash": hashed})
        await conn.execute(_SQL["end_sessions"], {"id": actor.id})
        await append_audit(conn, actor, "account.password", f"account:{actor.id}")


async def list_accounts(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Accounts of the org units in scope, with roles and whether a second factor is set up."""
    return await (await conn.execute(_SQL["list"], {"path": actor.org_path})).fetchall()


async def find_account(conn: Connection, actor: Actor, account_id: int) -> dict[str, Any]:
    """One account within scope. Raises NotFound."""
    params = {"path": actor.org_path, "id": account_id}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这个账号，或者它不在您的数据范围内。")
    return row


async def _require_org(conn: Connection, actor: Actor | str, org_id: int) -> None:
    row = await (await conn.execute(_SQL["org_path"], {"id": org_id})).fetchone()
    if row is None or (isinstance(actor, Actor) and not actor.reaches(row["path"])):
        raise NotFound("没有这个机构，或者它不在您的数据范围内。")


def _check_login(login: str) -> str:
    plain = login.strip().lower()
    if not (3 <= len(plain) <= 40) or not all(c.isascii() and (c.isalnum() or c in "._-") for c in plain):
        raise InvalidInput("登录名用 3 到 40 个字母、数字、点、横线或下划线。", field="login")
    return plain
