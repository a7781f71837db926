"""Accounts, separated powers, sessions, keys, data scope and the audit chain, against a real database."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pyotp
import pytest

from outreach.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound, TooMany
from outreach.governance import attempts
from outreach.governance.accounts import assign_roles, change_password, create_account, set_state
from outreach.governance.actor import Actor
from outreach.governance.api_keys import create_key, resolve_key, revoke_key
from outreach.governance.attempts import FREE_TRIES
from outreach.governance.audit import append_audit, verify_audit
from outreach.governance.permissions import PERMISSIONS, ROLES
from outreach.governance.scope import subtree_ids, within_scope
from outreach.governance.sessions import end_session, log_in, resume_session, switch_scope
from outreach.governance.totp import begin_enrolment, confirm_enrolment, use_code
from outreach.runtime import Runtime

PASSWORD = "chunjiang huayueye"
STRONG = "chunjiang huayueye zhong"
UNITS = ((1, None, 1, "1."), (2, 1, 2, "1.2."), (3, 2, 3, "1.2.3."), (4, 1, 2, "1.4."), (12, 1, 2, "1.12."))
"""A province, a city with a county, a sister city, and one whose path begins like another's."""


@pytest.fixture
async def units(rt: Runtime) -> Runtime:
    async with rt.db.begin() as conn:
        for unit, parent, level, path in UNITS:
            await conn.execute(
                "insert into org_unit (id, parent_id, level, code, name, path)"
                " values (%s, %s, %s, %s, %s, %s)",
                (unit, parent, level, f"1{unit:08d}", f"机构{unit}", path),
            )
    return rt


def acting(org_id: int = 1, path: str = "1.", *permissions: str, account_id: int = 999) -> Actor:
    return Actor(account_id, "tester", "测试", frozenset(permissions), org_id, path, org_id, path)


async def account(rt: Runtime, login: str, *roles: str, org_id: int = 2) -> int:
    return await create_account(
        rt, "setup", login=login, display_name=login, password=STRONG, org_id=org_id, roles=roles
    )


async def enter(
    rt: Runtime, login: str, password: str = STRONG, code: str = "", remote: str = "10.0.0.1"
) -> str:
    return await log_in(rt, login=login, password=password, code=code, remote=remote)


async def session(rt: Runtime, token: str) -> Any:
    found = await resume_session(rt, token)
    assert found is not None
    return found


async def test_a_session_carries_roles_scope_and_a_token_of_its_own(units: Runtime) -> None:
    await account(units, "planner", "planner")
    first, second = await enter(units, "planner"), await enter(units, "Planner ")
    actor = (await session(units, first)).actor
    assert (actor.name, actor.org_id, actor.org_path) == ("planner", 2, "1.2.")
    assert actor.permissions == ROLES["planner"].permissions
    assert (await session(units, first)).csrf_token != (await session(units, second)).csrf_token


async def test_tokens_and_passwords_are_not_in_the_database(units: Runtime) -> None:
    await account(units, "planner", "planner")
    token = await enter(units, "planner")
    made = await create_key(units, "setup", name="x", org_id=2, permissions=["campaign.read"], days=1)
    dump = str(
        [await units.db.fetch(f"select * from {table}") for table in ("session", "account", "api_key")]
    )
    for secret in (token, STRONG, made.key, made.key.rsplit("_", 1)[1]):
        assert secret not in dump


@pytest.mark.parametrize(
    ("login", "password"), [("nobody", STRONG), ("planner", "wrong"), ("planner", ""), ("", "")]
)
async def test_every_refusal_reads_the_same(units: Runtime, login: str, password: str) -> None:
    await account(units, "planner", "planner")
    with pytest.raises(NotAuthenticated) as refused:
        await enter(units, login, password)
    assert refused.value.message.startswith("登录名、密码或验证码不对")


async def test_guesses_have_to_wait_also_when_they_come_at_once(
    units: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = attempts.wait_for

    def at_once(tries: attempts.Tries) -> timedelta:
        # However long a busy machine takes from one guess to the next, or for hashing five passwords.
        return rule(replace(tries, now=tries.last or tries.now))

    monkeypatch.setattr(attempts, "wait_for", at_once)
    await account(units, "planner", "planner")
    tries = await asyncio.gather(
        *(enter(units, "planner", f"guess number {n}") for n in range(30)), return_exceptions=True
    )
    refused = [one for one in tries if isinstance(one, NotAuthenticated)]
    assert len(refused) == FREE_TRIES
    assert all(isinstance(one, TooMany) for one in tries if one not in refused)
    with pytest.raises(TooMany) as waits:
        await enter(units, "planner")
    assert waits.value.details["seconds"] == 3
    assert await enter(units, "planner", remote="10.9.9.9")


async def test_a_wait_ends_and_a_success_forgets_the_failures(units: Runtime) -> None:
    await account(units, "planner", "planner")
    for _ in range(FREE_TRIES):
        with pytest.raises(NotAuthenticated):
            await enter(units, "planner", "wrong")
    await units.db.execute("update login_attempt set at = at - interval '5 seconds'")
    assert await enter(units, "planner")
    assert await units.db.fetch("select 1 as one from login_attempt") == []


async def test_sessions_end_when_idle_when_old_and_when_left(units: Runtime) -> None:
    await account(units, "planner", "planner")
    for wait in ("seen_at = seen_at - interval '31 minutes'", "expires_at = now() - interval '1 second'"):
        token = await enter(units, "planner")
        await units.db.execute(f"update session set {wait}")
        assert await resume_session(units, token) is None
    token = await enter(units, "planner")
    await end_session(units, token)
    assert await resume_session(units, token) is None
    assert await resume_session(units, "x" * 43) is None


async def test_a_look_without_touch_leaves_the_idle_clock_alone(units: Runtime) -> None:
    await account(units, "planner", "planner")
    token = await enter(units, "planner")
    await units.db.execute("update session set seen_at = seen_at - interval '20 minutes'")
    before = await units.db.fetch_one("select seen_at from session")
    await resume_session(units, token, touch=False)
    assert await units.db.fetch_one("select seen_at from session") == before
    await resume_session(units, token)
    after = await units.db.fetch_one("select seen_at from session")
    assert before is not None and after is not None
    assert after["seen_at"] - before["seen_at"] > timedelta(minutes=19)


async def test_a_scope_can_be_narrowed_and_widened_again_but_never_beyond_home(units: Runtime) -> None:
    await account(units, "planner", "planner")
    token = await enter(units, "planner")
    await switch_scope(units, (await session(units, token)).actor, token, 3)
    narrowed = (await session(units, token)).actor
    assert (narrowed.org_id, narrowed.home_org_id) == (3, 2)
    await switch_scope(units, narrowed, token, 2)
    for beyond in (1, 4, 12, 777):
        with pytest.raises(NotAllowed):
            await switch_scope(units, narrowed, token, beyond)
    assert (await session(units, token)).actor.org_id == 2


async def test_a_unit_that_moves_away_takes_its_scope_with_it(units: Runtime) -> None:
    await account(units, "planner", "planner")
    token = await enter(units, "planner")
    await switch_scope(units, (await session(units, token)).actor, token, 3)
    await units.db.execute("update org_unit set parent_id = 4, path = '1.4.3.' where id = 3")
    assert (await session(units, token)).actor.org_path == "1.2."


@pytest.mark.parametrize(
    ("unit", "inside"), [(2, True), (3, True), (1, False), (4, False), (12, False), (9, False)]
)
async def test_scope_is_own_and_below_never_above_nor_beside(units: Runtime, unit: int, inside: bool) -> None:
    async with units.db.begin() as conn:
        assert await within_scope(conn, acting(2, "1.2."), unit) is inside
        assert await subtree_ids(conn, acting(2, "1.2.")) == [2, 3]


@pytest.mark.parametrize(
    "roles",
    [
        ("system_admin", "security_admin"),
        ("system_admin", "audit_admin"),
        ("security_admin", "audit_admin"),
        ("system_admin", "planner"),
        ("audit_admin", "approver"),
    ],
)
async def test_the_three_powers_stay_apart(units: Runtime, roles: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput, match="三员分立"):
        await account(units, "mixed", *roles)
    target = await account(units, "target", roles[0])
    with pytest.raises(InvalidInput, match="三员分立"):
        await assign_roles(units, acting(1, "1.", "role.assign"), target, roles)
    with pytest.raises(psycopg.errors.CheckViolation):
        await units.db.execute(
            "insert into account_role (account_id, role) values (%(id)s, %(role)s)",
            {"id": target, "role": roles[1]},
        )


async def test_two_grants_at_once_cannot_pass_each_other(units: Runtime) -> None:
    target = await account(units, "target")
    grant = "insert into account_role (account_id, role) values (%(id)s, %(role)s)"
    outcomes = await asyncio.gather(
        *(
            units.db.execute(grant, {"id": target, "role": role})
            for role in ("system_admin", "security_admin", "audit_admin", "planner")
        ),
        return_exceptions=True,
    )
    assert sum(outcome == 1 for outcome in outcomes) == 1


def test_administrators_hold_no_business_permission() -> None:
    business = {p for p in PERMISSIONS if p.split(".")[0] in {"campaign", "taxpayer", "message", "report"}}
    for role in ROLES.values():
        if role.administrator:
            assert not role.permissions & business, role.code
            assert role.second_factor
    assert ROLES["audit_admin"].permissions == {"audit.read"}


async def test_nobody_changes_their_own_roles_or_state(units: Runtime) -> None:
    own = await account(units, "security", "security_admin")
    actor = acting(2, "1.2.", "role.assign", account_id=own)
    with pytest.raises(NotAllowed, match="自己的角色"):
        await assign_roles(units, actor, own, ["planner"])
    with pytest.raises(Conflict, match="自己的账号"):
        await set_state(units, actor, own, "locked")


async def test_losing_a_role_or_being_locked_ends_the_sessions(units: Runtime) -> None:
    target = await account(units, "planner", "planner")
    admin = acting(1, "1.", "role.assign", "account.write")
    token = await enter(units, "planner")
    await assign_roles(units, admin, target, ["analyst"])
    assert await resume_session(units, token) is None
    token = await enter(units, "planner")
    await set_state(units, admin, target, "locked")
    assert await resume_session(units, token) is None
    with pytest.raises(NotAuthenticated):
        await enter(units, "planner")


async def test_accounts_of_sisters_and_superiors_are_out_of_reach(units: Runtime) -> None:
    above, beside = await account(units, "above", org_id=1), await account(units, "beside", org_id=4)
    for target in (above, beside, 12345):
        with pytest.raises(NotFound):
            await assign_roles(units, acting(2, "1.2.", "role.assign"), target, ["planner"])


async def test_whoever_makes_an_account_does_not_give_it_roles(units: Runtime) -> None:
    with pytest.raises(NotAllowed, match="安全管理员"):
        await create_account(
            units, acting(1, "1.", "account.write"), login="new", display_name="", password=STRONG, org_id=2,
            roles=["planner"],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "至少"),
        ("123456789012", "常用密码"),
        ("aaaaaaaaaaaaaa", "不同的字符太少"),
        ("planner-planner", "登录名"),
        ("Password12366admin", "所剩无几"),
        ("x" * 200, "最多"),
    ],
)
async def test_weak_passwords_are_refused_with_the_reason(units: Runtime, password: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        await create_account(units, "setup", login="planner", display_name="", password=password, org_id=2)


async def test_a_changed_password_ends_every_session(units: Runtime) -> None:
    await account(units, "planner", "planner")
    token, other = await enter(units, "planner"), await enter(units, "planner")
    actor = (await session(units, token)).actor
    with pytest.raises(InvalidInput, match="当前密码"):
        await change_password(units, actor, "wrong", PASSWORD)
    await change_password(units, actor, STRONG, PASSWORD)
    assert [await resume_session(units, one) for one in (token, other)] == [None, None]
    assert await enter(units, "planner", PASSWORD)


async def test_the_second_factor_is_asked_for_and_each_code_works_once(units: Runtime) -> None:
    await account(units, "approver", "approver")
    found = await session(units, await enter(units, "approver"))
    assert found.must_enrol
    address = await begin_enrolment(units, found.actor)
    totp = pyotp.parse_uri(address)
    assert isinstance(totp, pyotp.TOTP)
    soon = {totp.at(int(time.time()) + 30 * steps) for steps in range(-2, 10)}
    with pytest.raises(InvalidInput):
        await confirm_enrolment(units, found.actor, min({f"{n:06d}" for n in range(13)} - soon))
    code = totp.now()
    await confirm_enrolment(units, found.actor, code)
    assert not await use_code(units, found.actor.id, code)
    with pytest.raises(NotAuthenticated):
        await enter(units, "approver")
    await units.db.execute("update account set totp_last_step = 0")
    again = await session(units, await enter(units, "approver", code=totp.now()))
    assert again.second_factor and not again.must_enrol
    with pytest.raises(Conflict):
        await begin_enrolment(units, found.actor)


async def test_a_key_works_until_it_is_revoked_or_expires(units: Runtime) -> None:
    made = await create_key(units, "setup", name="电子税务局", org_id=2, permissions=["event.write"], days=1)
    actor = await resolve_key(units, made.key)
    assert (actor.org_path, actor.permissions) == ("1.2.", frozenset({"event.write"}))
    for wrong in (made.key[:-1] + ("0" if made.key[-1] != "0" else "1"), made.key.upper(), "ok__", "", "ok"):
        with pytest.raises(NotAuthenticated):
            await resolve_key(units, wrong)
    with pytest.raises(NotFound):
        await revoke_key(units, acting(4, "1.4."), made.id)
    await revoke_key(units, acting(2, "1.2."), made.id)
    with pytest.raises(NotAuthenticated):
        await resolve_key(units, made.key)


async def test_powers_of_persons_are_not_for_keys(units: Runtime) -> None:
    for power in ("campaign.approve", "role.assign", "account.write", "key.write", "audit.read"):
        with pytest.raises(InvalidInput):
            await create_key(units, "setup", name="x", org_id=2, permissions=[power], days=1)
    with pytest.raises(InvalidInput):
        await create_key(units, "setup", name="x", org_id=2, permissions=["no.such"], days=1)
    with pytest.raises(NotFound):
        await create_key(units, acting(4, "1.4."), name="x", org_id=2, permissions=["event.write"], days=1)


async def write_chain(rt: Runtime, count: int = 5) -> None:
    for number in range(count):
        async with rt.db.begin() as conn:
            await append_audit(
                conn, "tester", "thing.done", f"thing:{number}", {"名": "值", "n": number, "x": 1.5}
            )


async def test_an_untouched_chain_holds(rt: Runtime) -> None:
    assert await verify_audit(rt) is None
    await write_chain(rt)
    assert await verify_audit(rt) is None


@pytest.mark.parametrize(
    ("tampering", "first_bad"),
    [
        ("update audit_event set actor = 'someone' where id = 3", 3),
        ("""update audit_event set detail = jsonb_set(detail, '{n}', '9') where id = 2""", 2),
        ("update audit_event set at = at + interval '1 microsecond' where id = 4", 4),
        ("update audit_event set hash = set_byte(hash, 0, get_byte(hash, 0) # 1) where id = 1", 1),
        ("delete from audit_event where id = 3", 3),
        ("delete from audit_event where id = 1", 1),
        ("delete from audit_event where id = 5", 5),
        ("delete from audit_event", 1),
        ("update audit_event set id = case id when 2 then 3 else 2 end + 10 where id in (2, 3)", 2),
        ("update audit_head set id = 4", 6),
        ("delete from audit_head", 6),
    ],
)
async def test_one_changed_byte_is_found_at_its_place(rt: Runtime, tampering: str, first_bad: int) -> None:
    await write_chain(rt)
    async with rt.db.begin() as conn:
        await conn.execute("alter table audit_event disable trigger user")
        await conn.execute(tampering.encode())
    assert await verify_audit(rt) == first_bad


@pytest.mark.parametrize(
    "change", ["update audit_event set actor = 'x'", "delete from audit_event", "truncate audit_event"]
)
async def test_the_chain_refuses_to_be_changed(rt: Runtime, change: str) -> None:
    await write_chain(rt, 1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await rt.db.execute(change)


async def test_writers_at_the_same_moment_keep_one_chain(rt: Runtime) -> None:
    await asyncio.gather(*(write_chain(rt, 5) for _ in range(6)))
    rows = await rt.db.fetch("select id from audit_event order by id")
    assert [row["id"] for row in rows] == list(range(1, 31))
    assert await verify_audit(rt) is None


async def test_a_transaction_that_fails_leaves_no_event(rt: Runtime) -> None:
    with pytest.raises(RuntimeError):
        async with rt.db.begin() as conn:
            await append_audit(conn, "tester", "thing.done", "thing:1")
            raise RuntimeError
    assert await verify_audit(rt) is None
    assert await rt.db.fetch("select 1 as one from audit_event") == []
