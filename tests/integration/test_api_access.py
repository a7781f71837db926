"""Who may call: keys, permissions, staff in the browser, and how often."""

from typing import Any

import pyotp

from outreach.governance.accounts import create_account
from outreach.governance.api_keys import create_key
from outreach.governance.sessions import log_in, resume_session
from outreach.governance.totp import begin_enrolment, confirm_enrolment
from outreach.web.api.limits import CallLimit
from tests.integration.api_town import NOT_FOR_KEYS, Town
from tests.town import COUNTY, PROVINCE

PASSWORD = "三山半落青天外，二水中分白鹭洲"


def routes(town: Town) -> list[tuple[str, str, str]]:
    """Method, path with every parameter 1, permission."""
    found = []
    for path, methods in town.app.openapi()["paths"].items():
        if path.startswith("/api/v1"):
            plain = path.removeprefix("/api/v1")
            for name in ("taxpayer_id", "segment_id", "template_id", "campaign_id", "round_id", "import_id",
                         "gateway_id", "key_id", "key"):  # fmt: skip
                plain = plain.replace(f"{{{name}}}", "1")
            found += [(method.upper(), plain, body["x-permission"]) for method, body in methods.items()]
    return found


async def test_every_route_refuses_strangers_and_those_without_its_permission(town: Town) -> None:
    town.app.state.api_limit = CallLimit(1_000, 1_000)
    powers = sorted({permission for _, _, permission in routes(town)} - NOT_FOR_KEYS)
    others = {power: await town.key_with(*(each for each in powers if each != power)) for power in powers}
    everything = town.keys[PROVINCE]
    assert len(routes(town)) > 35
    for method, path, permission in routes(town):
        stranger = await town.client.request(method, f"/api/v1{path}")
        assert (stranger.status_code, stranger.json()["code"]) == (401, "not_authenticated"), path
        assert stranger.headers["www-authenticate"] == "Bearer"
        refused = await town.ask(method, path, key=others.get(permission, everything))
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed"), path
        assert refused.json()["details"] == {"permission": permission}


NO_KEYS = [
    "",
    "Bearer",
    "Bearer ",
    "Basic b2s6eA==",
    "Bearer ok_",
    "Bearer ok_aaaaaaaa_bbbb",
    "Bearer no_aaaaaaaa_bbbb",
    "Bearer ok_%00_x",
    "Bearer " + "ok_" + "a" * 5000,
    "Bearer ok_\x7f\x80\xff_é",
    "Bearer ok_' or 1=1 --_x",
]


async def test_what_is_no_key_is_refused(town: Town) -> None:
    for header in NO_KEYS:
        headers = {b"authorization": header.encode("latin-1")}
        answer = await town.client.get("/api/v1/labels", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), header


async def test_a_key_of_another_secret_revoked_or_expired_is_refused(town: Town) -> None:
    good = await town.key_with("segment.read")
    prefix = good.split("_")[1]
    assert (await town.get("/labels", key=good)).status_code == 200
    assert (await town.get("/labels", key=good[:-1] + ("0" if good[-1] != "0" else "1"))).status_code == 401
    for column in ("expires_at", "revoked_at"):
        key = await town.key_with("segment.read")
        await town.rt.db.execute(
            f"update api_key set {column} = now() - interval '1 second' where prefix = %(prefix)s",
            {"prefix": key.split("_")[1]},
        )
        assert (await town.get("/labels", key=key)).status_code == 401
    used = await town.rt.db.fetch_one("select used_at from api_key where prefix = %(p)s", {"p": prefix})
    assert used is not None
    assert used["used_at"] is not None


async def test_a_caller_who_runs_away_is_held_back(town: Town) -> None:
    # By a clock that stands the four come at once, however long they take.
    town.app.state.api_limit = CallLimit(0.5, 3, clock=lambda: 0.0)
    answers = [await town.get("/labels", unit=COUNTY) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "too_many"
    assert answers[3].headers["retry-after"] == "2"
    assert (await town.get("/labels")).status_code == 200


async def staff(town: Town, login: str, role: str) -> tuple[dict[str, str], str]:
    """A person's session cookie and form token, with a second factor where the role asks for one."""
    await create_account(
        town.rt, "system", login=login, display_name=login, password=PASSWORD, org_id=PROVINCE, roles=(role,)
    )
    token = await log_in(town.rt, login=login, password=PASSWORD, code="", remote="10.0.0.1")
    session = await resume_session(town.rt, token)
    assert session is not None
    address = await begin_enrolment(town.rt, session.actor)
    await confirm_enrolment(town.rt, session.actor, pyotp.parse_uri(address).now())  # type: ignore[attr-defined]
    return {"session": token}, session.csrf_token


async def as_staff(
    town: Town, method: str, path: str, cookies: dict[str, str], csrf: str, **options: Any
) -> Any:
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = {"cookie": cookie, "x-csrf-token": csrf, "sec-fetch-site": "same-origin"}
    return await town.client.request(method, f"/api/v1{path}", headers=headers, **options)


async def test_a_person_approves_what_a_machine_has_drafted(town: Town) -> None:
    number = await town.campaign(COUNTY)
    assert (await town.post(f"/campaigns/{number}/submit", {}, unit=COUNTY)).json()["state"] == "in_review"
    cookies, csrf = await staff(town, "approver", "approver")
    path = f"/campaigns/{number}/approve"
    forged = await as_staff(town, "POST", path, cookies, "x" * len(csrf))
    assert forged.status_code == 403
    foreign = await town.client.post(
        f"/api/v1{path}",
        headers={
            "cookie": f"session={cookies['session']}",
            "x-csrf-token": csrf,
            "sec-fetch-site": "cross-site",
        },
    )
    assert foreign.status_code == 403
    answer = await as_staff(town, "POST", path, cookies, csrf, json={})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["approved_by"]) == ("approved", "approver")
    assert len(answer.json()["approved_hash"]) == 64
    assert (await as_staff(town, "POST", path, cookies, csrf, json={})).status_code == 409


async def test_a_person_issues_and_revokes_keys(town: Town) -> None:
    cookies, csrf = await staff(town, "guard", "security_admin")
    order = {"name": "征管系统", "org_id": COUNTY, "permissions": ["event.write"], "days": 30}
    made = await as_staff(town, "POST", "/keys", cookies, csrf, json=order)
    assert made.status_code == 201, made.text
    events = {"events": [{"key": "k", "taxpayer_id": 1, "type": "filed", "at": "2026-03-15T10:24:00+08:00"}]}
    assert (await town.post("/events", events, key=made.json()["key"])).json()["new"] == 1
    ended = await as_staff(town, "POST", f"/keys/{made.json()['id']}/revoke", cookies, csrf)
    assert ended.status_code == 204
    assert (await town.post("/events", events, key=made.json()["key"])).status_code == 401
    assert (await as_staff(town, "POST", "/keys/999999/revoke", cookies, csrf)).status_code == 404
    for power in sorted(NOT_FOR_KEYS):
        refused = await as_staff(town, "POST", "/keys", cookies, csrf, json={**order, "permissions": [power]})
        assert (refused.status_code, refused.json()["details"]["field"]) == (422, "permissions")


async def test_an_address_that_is_not_there_is_told_in_json(town: Town) -> None:
    answer = await town.get("/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await town.ask("DELETE", "/labels")).status_code == 405
    for body in (b"{", b"\xff\xfe", b"", b"[" * 10_000, b"[]", b"null"):
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
            answer = await town.post("/events", content=body, headers={"content-type": kind})
            assert answer.status_code in (400, 422), (body[:10], kind)


async def test_without_the_database_the_caller_is_told_when_to_come_again(town: Town) -> None:
    key = (await create_key(town.rt, "system", name="x", org_id=1, permissions=["segment.read"], days=1)).key
    await town.rt.db.close()
    answer = await town.get("/labels", key=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
