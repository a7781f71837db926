"""Confirm or decline: the exact text, evidence that nobody can change, a second answer beside the first."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from outreach.clock import utc_now
from outreach.errors import InvalidInput
from outreach.governance.audit import verify_audit
from outreach.governance.vault import Vault, open_vault
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text
from outreach.runtime import Runtime
from outreach.service.confirmations import compare_evidence, publish_matter, read_evidence
from outreach.service.evidence import (
    Sealed,
    build_package,
    check_package,
    digest_of,
    evidence_signer,
    public_key_of,
    text_digest,
)
from tests.integration.answer_stage import BODY, Visitor, ask_to_confirm, visiting
from tests.integration.statement_samples import COMPANY, ELSEWHERE, SHOP


@pytest.fixture
async def visitor(rt: Runtime) -> AsyncIterator[Visitor]:
    async with visiting(rt) as made:
        yield made


def seen_on(page: str) -> list[str]:
    return re.findall(r'name="seen" value="(\w{64})"', page)


async def answers(rt: Runtime) -> list[dict[str, object]]:
    return await rt.db.fetch("select id, taxpayer_id, verdict, supersedes from confirmation order by id")


async def package(rt: Runtime, campaign: int) -> bytes:
    async with rt.db.begin() as conn:
        found = await read_evidence(conn, open_vault(rt.settings), campaign, path="1.")
    return build_package(*found, by="officer", at=utc_now(), signer=evidence_signer(open_vault(rt.settings)))


async def members(rt: Runtime, label: str) -> list[int]:
    return list((await evaluate_text(rt, SetCache(), label, 1)).members)


async def test_a_second_answer_stands_beside_the_first(visitor: Visitor) -> None:
    rt = visitor.rt
    _, round_id = await ask_to_confirm(rt)
    assert await visitor.enter(taxpayer_ids=[COMPANY.id, SHOP.id], round_id=round_id) == "/answers"
    page = (await visitor.http.get("/answers")).text
    assert COMPANY.name in page and SHOP.name in page and BODY in page and COMPANY.tax_no not in page
    first, second = seen_on(page)
    for n, seen, verdict in ((0, first, "confirmed"), (1, second, "declined"), (0, first, "declined")):
        done = await visitor.http.post("/answers/confirm", data={"verdict": verdict, "seen": seen, "n": n})
        assert done.headers["location"] == "/answers?done=confirmed", done.text
    kept = await answers(rt)
    assert [(row["taxpayer_id"], row["verdict"]) for row in kept] == [
        (1, "confirmed"),
        (2, "declined"),
        (1, "declined"),
    ]
    assert [row["supersedes"] for row in kept] == [None, None, kept[0]["id"]]
    assert "选择不同意" in (await visitor.http.get("/answers")).text
    # The next count sees the last word of each.
    assert await members(rt, "iit.unit_confirmed") == [] and await members(rt, "iit.waived") == [1, 2]
    assert await verify_audit(rt) is None


async def test_only_what_was_shown_can_be_confirmed(visitor: Visitor) -> None:
    rt = visitor.rt
    campaign, round_id = await ask_to_confirm(rt)
    await visitor.enter(round_id=round_id)
    (seen,) = seen_on((await visitor.http.get("/answers")).text)
    async with rt.db.begin() as conn:
        await publish_matter(conn, campaign, "maker", title="减免确认", body=BODY + "更正。")
    answer = await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen})
    assert answer.status_code == 409 and "重新阅读" in answer.text and await answers(rt) == []
    for data in ({}, {"verdict": "maybe", "seen": seen}):
        assert (await visitor.http.post("/answers/confirm", data=data)).status_code == 422


async def test_nobody_answers_without_verification_or_from_elsewhere(visitor: Visitor) -> None:
    _, round_id = await ask_to_confirm(visitor.rt)
    for path in ("/answers", "/answers/rate"):
        assert (await visitor.http.get(path)).status_code == 401
    assert (await visitor.http.post("/answers/confirm", data={"verdict": "confirmed"})).status_code == 401
    await visitor.enter(round_id=round_id)
    (seen,) = seen_on((await visitor.http.get("/answers")).text)
    data = {"verdict": "confirmed", "seen": seen}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await visitor.http.post("/answers/confirm", data=data, headers=headers)).status_code == 400
    assert await answers(visitor.rt) == []
    # What browsers say of our own forms under `no-referrer`.
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert (await visitor.http.post("/answers/confirm", data=data, headers=own)).status_code == 303


async def test_the_evidence_verifies_and_any_change_is_found(visitor: Visitor) -> None:
    rt = visitor.rt
    campaign, round_id = await ask_to_confirm(rt)
    await visitor.enter(round_id=round_id)
    (seen,) = seen_on((await visitor.http.get("/answers")).text)
    for verdict in ("confirmed", "declined"):
        await visitor.http.post("/answers/confirm", data={"verdict": verdict, "seen": seen})
    body = await package(rt, campaign)
    checked = check_package(body)
    assert checked.faults == [] and len(checked.records) == 2
    record = checked.records[0].record
    assert record["text"].startswith("减免确认\n示例市春风里") and BODY in record["text"]
    assert text_digest(record["text"]) == seen and record["identity"]["way"] == "one_time_code"
    assert record["identity"]["verified_at"] and record["answers"]["round"] == round_id
    async with rt.db.begin() as conn:
        assert await compare_evidence(conn, checked.records, checked.audit_hashes) == []
    for old, new in (("declined", "confirmed"), (BODY, BODY + "！"), ("one_time_code", "none")):
        assert check_package(forged(body, old, new)).faults != []
        assert check_package(forged(body, old, new, with_manifest=True)).faults != []


async def test_a_chain_made_up_elsewhere_is_found_by_the_database(visitor: Visitor) -> None:
    rt = visitor.rt
    campaign, round_id = await ask_to_confirm(rt)
    await visitor.enter(round_id=round_id)
    (seen,) = seen_on((await visitor.http.get("/answers")).text)
    await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen})
    checked = check_package(await package(rt, campaign))
    invented = dict.fromkeys(checked.audit_hashes, "0" * 64)
    async with rt.db.begin() as conn:
        assert len(await compare_evidence(conn, checked.records, invented)) == 1


def forged(body: bytes, old: str, new: str, *, with_manifest: bool = False) -> bytes:
    """The package with a word of its records changed, by somebody who can also write a manifest."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert old.encode() in files["records.jsonl"]
    files["records.jsonl"] = files["records.jsonl"].replace(old.encode(), new.encode())
    if with_manifest:
        manifest = json.loads(files["manifest.json"])
        manifest["files"]["records.jsonl"] = hashlib.sha256(files["records.jsonl"]).hexdigest()
        files["manifest.json"] = json.dumps(manifest).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


async def test_who_changes_every_file_breaks_the_chain(visitor: Visitor) -> None:
    rt = visitor.rt
    campaign, round_id = await ask_to_confirm(rt)
    await visitor.enter(round_id=round_id)
    (seen,) = seen_on((await visitor.http.get("/answers")).text)
    await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen})
    async with rt.db.begin() as conn:
        (one,), (event,) = await read_evidence(conn, open_vault(rt.settings), campaign, path="1.")
    record = {**one.record, "verdict": "declined"}
    digest = digest_of(record).hex()
    made_up = [Sealed(record, digest, one.audit_id)]
    detail = {"evidence": {str(record["id"]): digest}}
    signer = evidence_signer(open_vault(rt.settings))
    body = build_package(made_up, [{**event, "detail": detail}], by="forger", at=utc_now(), signer=signer)
    assert check_package(body).faults == [f"第 {record['id']} 号：审计事件 {one.audit_id} 与审计链不符"]


async def test_nobody_changes_what_is_kept(visitor: Visitor, fresh_dsn: str) -> None:
    _, round_id = await ask_to_confirm(visitor.rt)
    await visitor.enter(round_id=round_id)
    (seen,) = seen_on((await visitor.http.get("/answers")).text)
    await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen})
    for statement in (
        "update confirmation set verdict = 'declined'",
        "delete from confirmation",
        "truncate confirmation",
        "update confirmation_matter set body = ''",
    ):
        with psycopg.connect(fresh_dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())


async def test_after_its_last_day_nothing_is_taken(visitor: Visitor) -> None:
    rt = visitor.rt
    campaign, round_id = await ask_to_confirm(rt)
    await visitor.enter(round_id=round_id)
    over = utc_now() - timedelta(minutes=1)
    async with rt.db.begin() as conn:
        await publish_matter(conn, campaign, "maker", title="减免确认", body=BODY, closes_at=over)
    page = (await visitor.http.get("/answers")).text
    assert "期限已过" in page and seen_on(page) == []
    (text,) = re.findall(r'<div class="said"[^>]*>(.*?)</div>', page, re.DOTALL)
    data = {"verdict": "confirmed", "seen": text_digest(text)}
    answer = await visitor.http.post("/answers/confirm", data=data)
    assert answer.status_code == 409 and "期限" in answer.text and await answers(rt) == []


async def test_a_scope_exports_its_own_only(visitor: Visitor) -> None:
    rt = visitor.rt
    campaign, round_id = await ask_to_confirm(rt)
    await visitor.enter(taxpayer_ids=[COMPANY.id, ELSEWHERE.id], round_id=round_id)
    for n, seen in enumerate(seen_on((await visitor.http.get("/answers")).text)):
        await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen, "n": n})
    async with rt.db.begin() as conn:
        mine, _ = await read_evidence(conn, open_vault(rt.settings), campaign, path="1.2.3.")
        all_of_them, _ = await read_evidence(conn, open_vault(rt.settings), campaign, path="1.")
    assert [one.record["taxpayer"]["id"] for one in mine] == [COMPANY.id] and len(all_of_them) == 2


async def test_who_signs_is_known_by_her_key_only(visitor: Visitor) -> None:
    rt = visitor.rt
    campaign, round_id = await ask_to_confirm(rt)
    await visitor.enter(round_id=round_id)
    (seen,) = seen_on((await visitor.http.get("/answers")).text)
    await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen})
    async with rt.db.begin() as conn:
        found = await read_evidence(conn, open_vault(rt.settings), campaign, path="1.")
    ours = evidence_signer(open_vault(rt.settings))
    known = public_key_of(ours)
    assert known != public_key_of(evidence_signer(Vault(["x" * 32], "default")))
    # A new master key in front changes nothing for what was signed before.
    master = rt.settings.master_key.get_secret_value()
    assert known == public_key_of(evidence_signer(Vault(["n" * 32, master], rt.settings.tenant)))
    genuine = build_package(*found, by="officer", at=utc_now(), signer=ours)
    checked = check_package(genuine, key=f" {known.upper()} ")
    assert checked.faults == [] and checked.signed_by == known
    # Whoever makes up a whole package agrees with herself, and only the key tells.
    forger = Ed25519PrivateKey.generate()
    forged_whole = build_package(*found, by="officer", at=utc_now(), signer=forger)
    alone = check_package(forged_whole)
    assert alone.faults == [] and alone.signed_by == public_key_of(forger)
    assert check_package(forged_whole, key=known).faults == ["证据包不是用这个公钥对应的密钥签名的"]
    # The forger may put the known key into her manifest, or call her package one of the old, unsigned ones.
    posing = changed(forged_whole, {"public_key": known})
    assert check_package(posing, key=known).faults == ["清单的签名无效：清单可能被改动过"]
    old = changed(forged_whole, {"format": "outreach-evidence/1"})
    assert check_package(old, key=known).faults == ["证据包没有签名，不能证明由谁导出"]
    assert check_package(old).faults == [] and check_package(old).signed_by == ""
    with pytest.raises(InvalidInput):
        check_package(genuine, key="no key")


def changed(body: bytes, words: dict[str, str]) -> bytes:
    """The package with other words in its manifest, the signature as it was."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["manifest.json"] = json.dumps({**json.loads(files["manifest.json"]), **words}).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_what_is_no_package_is_refused() -> None:
    for body in (b"", b"PK", b"{}"):
        with pytest.raises(InvalidInput):
            check_package(body)
