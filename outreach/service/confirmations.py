"""Confirm or decline: 免申请享受, 单位代办确认. What is asked is frozen, every answer is kept as evidence.

An answer never overwrites: a second one names the one before, and the last one counts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.audit import append_audit
from outreach.governance.vault import Vault
from outreach.labels.keys import label_key
from outreach.labels.sets import change_sets
from outreach.service.evidence import FORMAT, MOST_RECORDS, Sealed, canonical, digest_of, text_digest
from outreach.service.visitors import Household, Visit

_SQL = load_queries(__file__)
KIND = "confirmation"
VERDICTS = {"confirmed": "确认", "declined": "不同意"}
_LONGEST_TITLE, _LONGEST_BODY = 60, 2_000


@dataclass(frozen=True, slots=True)
class Matter:
    """One version of what a campaign asks."""

    id: int
    campaign_id: int
    version: int
    title: str
    body: str
    confirm_label: str
    decline_label: str
    closes_at: datetime | None
    published_by: str
    published_at: datetime
    is_open: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One household's answer, and how it came.

    `text` is exactly what was shown and `text_is` what it is: `page` or `message` (word for word what she
    read there), or `template` (for what left before words were kept: the version that was sent, with its
    placeholders). `identity`: how it was checked.
    """

    household: Household
    verdict: str
    text: str
    text_is: str
    channel: str
    identity: Mapping[str, Any]
    person_id: int | None = None
    round_id: int | None = None
    message_id: int | None = None
    inbound_id: int | None = None
    reply: str = ""


async def publish_matter(
    conn: Connection,
    campaign_id: int,
    by: str,
    *,
    title: str,
    body: str,
    labels: tuple[str, str] = ("", ""),
    closes_at: datetime | None = None,
) -> int:
    """Freeze a text as the newest version of a campaign's question; returns its id.

    `labels`: flag labels for who confirms and who declines, empty for none. Raises InvalidInput, NotFound.
    """
    plain_title = title.replace("\x00", "").strip()
    plain_body = body.replace("\x00", "").replace("\r\n", "\n").strip()
    if not 1 <= len(plain_title) <= _LONGEST_TITLE:
        raise InvalidInput(f"标题需要 1 到 {_LONGEST_TITLE} 个字。", field="title")
    if not 1 <= len(plain_body) <= _LONGEST_BODY:
        raise InvalidInput(f"正文需要 1 到 {_LONGEST_BODY} 个字。", field="body")
    await _check_labels(conn, labels)
    row = await (await conn.execute(_SQL["campaign_kind"], {"id": campaign_id})).fetchone()
    if row is None:
        raise NotFound("没有这个活动。")
    if row["kind"] != KIND:
        raise InvalidInput("只有种类为“确认请求”的活动才有确认事项。", field="title")
    params = {
        "campaign": campaign_id, "title": plain_title, "body": plain_body, "confirm": labels[0],
        "decline": labels[1], "closes_at": closes_at, "by": by,
    }  # fmt: skip
    made = await (await conn.execute(_SQL["publish"], params)).fetchone()
    assert made is not None
    detail = {"version": made["version"], "text": text_digest(f"{plain_title}\n{plain_body}")}
    await append_audit(conn, by, "confirmation.publish", f"campaign:{campaign_id}", detail)
    return int(made["id"])


async def find_matter(conn: Connection, campaign_id: int) -> Matter | None:
    """The newest version of a campaign's question."""
    row = await (await conn.execute(_SQL["matter"], {"campaign": campaign_id})).fetchone()
    return Matter(**row) if row else None


def shown_text(matter: Matter, household: Household) -> str:
    """Word for word what the page shows to a household, and what the evidence holds."""
    payer = f"{household.name}（{household.number}）"
    return f"{matter.title}\n{payer}\n{matter.body}\n{household.bureau}"


async def answers_of(conn: Connection, campaign_id: int, taxpayer_id: int) -> list[dict[str, Any]]:
    """All answers of a household to a campaign, the one that counts first."""
    params = {"campaign": campaign_id, "taxpayer": taxpayer_id}
    return await (await conn.execute(_SQL["answers"], params)).fetchall()


async def answer_on_page(
    conn: Connection, vault: Vault, visit: Visit, verdict: str, seen: str, n: int
) -> int:
    """Record what a verified visitor pressed; returns the number of the evidence.

    `seen` is the digest of the text that her page showed. Raises InvalidInput for another verdict, NotFound
    where nothing is asked, Conflict when the text has changed or the time is over.
    """
    if verdict not in VERDICTS:
        raise InvalidInput("请选择确认或者不同意。", field="verdict")
    matter = await find_matter(conn, visit.campaign_id) if visit.campaign_id is not None else None
    if matter is None:
        raise NotFound("没有需要您确认的事项。")
    if not matter.is_open:
        raise Conflict("确认的期限已过。")
    household = visit.household(n)
    text = shown_text(matter, household)
    if text_digest(text) != seen:
        raise Conflict("内容刚刚更新，请重新阅读后再确认。")
    identity = {
        "way": "one_time_code",
        "link": visit.link.hex(),
        "verified_at": in_beijing(visit.verified_at).isoformat() if visit.verified_at else None,
    }
    answer = Answer(
        household, verdict, text, "page", "page", identity, visit.person_id, visit.round_id, visit.message_id
    )
    return (await record_answers(conn, vault, matter, [answer]))[0]


async def record_answers(
    conn: Connection, vault: Vault, matter: Matter, answers: Sequence[Answer]
) -> list[int]:
    """Keep answers to one question as evidence, in the caller's transaction: sealed records, one audit event,
    the labels. Households in order of their ids and each once, so that two writers cannot deadlock."""
    ordered = sorted(answers, key=lambda one: one.household.id)
    ids = [one.household.id for one in ordered]
    await conn.execute(_SQL["hold"], {"campaign": matter.campaign_id, "ids": ids})
    params = {"campaign": matter.campaign_id, "ids": ids}
    rows = await (await conn.execute(_SQL["before"], params)).fetchall()
    now, number_of = rows[0]["now"], {row["taxpayer_id"]: row["number"] for row in rows}
    last = {row["taxpayer_id"]: row["last"] for row in rows}
    records = [
        _record(matter, one, number_of[one.household.id], last[one.household.id], now) for one in ordered
    ]
    digests = [digest_of(record) for record in records]
    numbers = [record["id"] for record in records]
    changes = _label_changes(matter, ordered)
    if changes:
        await change_sets(conn, changes, source=f"确认事项：{matter.title}")
    detail = {"evidence": {str(n): digest.hex() for n, digest in zip(numbers, digests, strict=True)}}
    audit = await append_audit(
        conn, "taxpayer", "confirmation.answer", f"campaign:{matter.campaign_id}", detail
    )
    sealed = vault.encrypt_many("confirmation", "record_enc", numbers, [_text(record) for record in records])
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _SQL["add"],
            [
                {
                    "id": record["id"], "campaign": matter.campaign_id, "matter": matter.id,
                    "taxpayer": one.household.id, "person": one.person_id, "verdict": one.verdict,
                    "channel": one.channel, "round": one.round_id, "message": one.message_id,
                    "inbound": one.inbound_id, "at": now, "supersedes": record["supersedes"],
                    "record": blob, "digest": digest, "audit": audit,
                }
                for one, record, blob, digest in zip(ordered, records, sealed, digests, strict=True)
            ],
        )  # fmt: skip
    return numbers


async def read_evidence(
    conn: Connection, vault: Vault, campaign_id: int, *, path: str, taxpayer_id: int | None = None
) -> tuple[list[Sealed], list[dict[str, Any]]]:
    """The records of a campaign within an org scope, or of one household, with their audit events.

    Raises NotFound where there is none, InvalidInput for more than a package holds.
    """
    params = {"campaign": campaign_id, "taxpayer": taxpayer_id, "path": path, "limit": MOST_RECORDS + 1}
    rows = await (await conn.execute(_SQL["evidence"], params)).fetchall()
    if not rows:
        raise NotFound("这里还没有确认记录。")
    if len(rows) > MOST_RECORDS:
        raise InvalidInput(f"超过 {MOST_RECORDS:,} 条，请切换到下级机构分别导出。", field="campaign")
    sealed = [Sealed(_opened(vault, row), bytes(row["digest"]).hex(), row["audit_id"]) for row in rows]
    audit_ids = sorted({row["audit_id"] for row in rows})
    events = await (await conn.execute(_SQL["events"], {"ids": audit_ids})).fetchall()
    return sealed, events


async def compare_evidence(
    conn: Connection, records: Sequence[Sealed], hashes: Mapping[int, str]
) -> list[str]:
    """What of a package does not agree with this database, in sentences."""
    params = {"ids": [one.record["id"] for one in records]}
    rows = await (await conn.execute(_SQL["digests"], params)).fetchall()
    kept = {row["id"]: row for row in rows}
    faults = []
    for one in records:
        row = kept.get(one.record["id"])
        if row is None:
            faults.append(f"第 {one.record['id']} 号：本系统没有这条记录")
        elif bytes(row["digest"]).hex() != one.digest or row["audit_id"] != one.audit_id:
            faults.append(f"第 {one.record['id']} 号：与本系统中的记录不一致")
        elif hashes.get(one.audit_id) != bytes(row["hash"]).hex():
            faults.append(f"第 {one.record['id']} 号：与本系统的审计链不一致")
    return faults


def _record(matter: Matter, one: Answer, number: int, before: int | None, at: datetime) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": number,
        "matter": {"campaign": matter.campaign_id, "version": matter.version, "title": matter.title},
        "taxpayer": {"id": one.household.id, "name": one.household.name, "number": one.household.number},
        "person": one.person_id,
        "verdict": one.verdict,
        "text": one.text,
        "text_is": one.text_is,
        "text_sha256": text_digest(one.text),
        "reply": one.reply,
        "at": in_beijing(at).isoformat(),
        "channel": one.channel,
        "identity": dict(one.identity),
        "answers": {"round": one.round_id, "message": one.message_id, "inbound": one.inbound_id},
        "supersedes": before,
    }


def _label_changes(matter: Matter, answers: Sequence[Answer]) -> dict[str, tuple[BitMap, BitMap]]:
    by_verdict = {
        verdict: BitMap([one.household.id for one in answers if one.verdict == verdict])
        for verdict in VERDICTS
    }
    yes, no = by_verdict["confirmed"], by_verdict["declined"]
    wanted = ((matter.confirm_label, yes, no), (matter.decline_label, no, yes))
    return {label_key(code): (add, remove) for code, add, remove in wanted if code}


async def _check_labels(conn: Connection, labels: Sequence[str]) -> None:
    wanted = [code for code in labels if code]
    if len(set(wanted)) < len(wanted):
        raise InvalidInput("确认和不同意不能记成同一个标签。", field="decline_label")
    await check_flags(conn, wanted, field="confirm_label")


async def check_flags(conn: Connection, codes: Sequence[str], *, field: str) -> None:
    """Raises InvalidInput unless every code is a flag label of the catalogue."""
    plain = [code for code in codes if "\x00" not in code]
    rows = await (await conn.execute(_SQL["flags"], {"codes": plain})).fetchall()
    missing = set(codes) - {row["code"] for row in rows}
    if missing:
        raise InvalidInput(
            f"没有这样的是非标签：{'、'.join(sorted(missing))}。请填写标签目录中的编码。", field=field
        )


def _text(record: Mapping[str, Any]) -> str:
    return canonical(record).decode()


def _opened(vault: Vault, row: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(
        vault.decrypt("confirmation", "record_enc", row["id"], bytes(row["record_enc"]))
    )
    return record
