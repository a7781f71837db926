"""The season of the seeded province: campaigns, rounds in the middle of their ladders, one busy household."""

import random
from datetime import datetime, timedelta
from typing import Any

from pyroaring import BitMap

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.exclusions import exclude
from campaigns.holdout import held_out
from outreach.clock import BEIJING
from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.runtime import Runtime

NOW = datetime(2026, 3, 18, 10, 24, tzinfo=BEIJING)
PERIOD = 202603
_MESSAGE = [
    ("period", "int4"), ("shard", "int2"), ("id", "int8"), ("round_id", "int4"), ("step", "int2"),
    ("person_id", "int4"), ("org_id", "int4"), ("reach", "int2"), ("dest", "int8"), ("state", "int2"),
    ("parts", "int2"), ("at", "timestamptz"), ("taxpayer_ids", "int4[]"), ("code", "text"),
    ("tried_at", "timestamptz"),
]  # fmt: skip
_COUNT = [
    ("round_id", "int4"), ("step", "int2"), ("org_id", "int4"), ("state", "int2"), ("n", "int4"),
    ("households", "int4"),
]  # fmt: skip


async def write_campaigns(rt: Runtime) -> tuple[int, int]:
    ladder = tuple(StepDraft(channel, "iit_B2", timedelta(days=2)) for channel in ("rcs", "sms", "wechat"))
    waves = (
        RoundDraft("预热提醒", NOW - timedelta(days=20), NOW - timedelta(days=11), ladder),
        RoundDraft("错峰提醒", NOW - timedelta(days=2, hours=1), NOW + timedelta(days=10), ladder),
        RoundDraft("临期提醒", NOW + timedelta(days=90), NOW + timedelta(days=104), ladder, "iit.must_file"),
    )
    draft: dict[str, Any] = {
        "purpose": "提醒需要办理 2025 年度综合所得汇算的自然人在 6 月 30 日前办理，减少逾期和滞纳金。",
        "kind": "do_it_reminder",
        "legal_basis": "《个人所得税综合所得汇算清缴管理办法》（国家税务总局令第 57 号）",
        "org_id": 2,
        "segment": "kind = natural_person and (iit.must_file or iit.refund_expected)",
        "done_segment": "iit.filed",
        "exempt_segment": "iit.exempt",
        "dispute_segment": "iit.disputed",
        "holdout_permille": 20,
        "variables": {"tax_year": "2025", "deadline": "2026-06-30"},
        "quota_messages": 2,
        "quota_days": 7,
    }
    main = CampaignDraft(
        code="iit-2025-beihe", name="2025 年度个人所得税综合所得汇算清缴提醒", rounds=waves, **draft
    )
    campaign = await create_campaign(rt, "planner", main)
    await submit_campaign(rt, campaign, "planner")
    await approve_campaign(rt, campaign, "approver")
    other = CampaignDraft(
        code="iit-2025-recheck",
        name="专项附加扣除信息核对提醒（青山县、临水区两地试点，含城关和石桥）",
        rounds=waves[2:],
        **{**draft, "quota_messages": None, "quota_days": None},
    )
    draft_id = await create_campaign(rt, "planner", other)
    await submit_campaign(rt, draft_id, "planner", note="两地试点，请核对人群条件。")
    return campaign, draft_id


async def play_round(
    conn: Connection,
    chance: random.Random,
    round_id: int,
    gateways: dict[str, int],
    people: BitMap,
    *,
    finished: bool,
) -> None:
    started = NOW - timedelta(days=20 if finished else 2)
    homes = {
        row["id"]: row["org_id"]
        for row in await (
            await conn.execute(
                "select t.id, t.org_id from taxpayer t join org_unit o on o.id = t.org_id"
                " where kind = 'natural_person' and o.path like '1.2.%%'"
            )
        ).fetchall()
    }
    audience = people & BitMap(homes)
    odds = {
        "already_done": 0.12 if finished else 0.31,
        "disputed": 0.003,
        "exempt": 0.03,
        "opted_out": 0.02,
        "held_out": 0.02,
        "contacted_recently": 0.0 if finished else 0.01,
        "no_address": 0.04,
    }
    candidates = {reason: BitMap(n for n in audience if chance.random() < p) for reason, p in odds.items()}
    candidates["held_out"] = held_out(audience, int(1000 * odds["held_out"]), 7)
    planned, exclusions = exclude(audience, candidates)
    sets = [
        ("audience", "", audience),
        *(("exclusion", e.reason, e.members) for e in exclusions),
        ("planned", "", planned),
    ]
    for ordinal, (kind, reason, members) in enumerate(sets):
        await conn.execute(
            "insert into round_set (round_id, ordinal, kind, reason, size, data)"
            " values (%s, %s, %s, %s, %s, %s)",
            (round_id, ordinal, kind, reason, len(members), members.serialize()),
        )
    await conn.execute(
        "update round set state = %s, started_at = %s, finished_at = %s, audience = %s, planned = %s,"
        " period = %s where id = %s",
        ("finished" if finished else "running", started, NOW - timedelta(days=11) if finished else None,
         len(audience), len(planned), PERIOD, round_id),
    )  # fmt: skip
    await conn.execute("select ensure_period('message', %s)", (PERIOD,))
    fallers = await _step(conn, chance, round_id, 0, gateways["fiveg_bot"], list(planned), homes, finished)
    fallers = await _step(conn, chance, round_id, 1, gateways["aliyun_sms"], fallers, homes, finished)
    await _step(
        conn, chance, round_id, 2, gateways["wechat_official"], fallers[: len(fallers) // 2], homes, finished
    )


async def _step(
    conn: Connection, chance: random.Random, round_id: int, step: int, gateway: int, who: list[int],
    homes: dict[int, int], finished: bool,
) -> list[int]:  # fmt: skip
    weights = (
        ((5, 46), (3, 33), (4, 20), (1, 1))
        if finished
        else ((5, 28), (3, 30), (2, 16), (4, 14), (0, 11), (1, 1))
    )
    fallers, counts = [], dict[tuple[int, int], int]()
    for start in range(0, len(who), 1000):
        part = who[start : start + 1000]
        row = await (await conn.execute("select nextval('batch_id') as id")).fetchone()
        assert row is not None
        batch, shard = row["id"], row["id"] % 8
        await conn.execute(
            "insert into batch (shard, id, period, round_id, step, gateway_id, lane, n, watermark, settled,"
            " state) values (%s, %s, %s, %s, %s, %s, 3, %s, %s, %s, %s)",
            (
                shard,
                batch,
                PERIOD,
                round_id,
                step,
                gateway,
                len(part),
                len(part),
                len(part) * 8 // 10,
                1 if finished else 0,
            ),
        )
        rows = []
        for position, person in enumerate(part):
            state = chance.choices([s for s, _ in weights], [w for _, w in weights])[0]
            counts[homes[person], state] = counts.get((homes[person], state), 0) + 1
            fallers += [person] if state == 4 else []
            at = NOW - timedelta(days=18 if finished else 1, minutes=chance.randrange(600))
            place = (PERIOD, shard, batch * 1000 + position, round_id, step, person, homes[person], 1, 0)
            code = "EXPIRED" if state == 4 else None
            tried_at = at if state == 1 else None
            rows.append((*place, state, 0 if state == 0 else 1, at, [person], code, tried_at))
        await copy_rows(conn, "message", _MESSAGE, rows)
        reached = [row[12][0] for row in rows if row[9] in (3, 5)]
        await conn.execute(
            "insert into reached_delta (round_id, taxpayer_ids) values (%s, %s)", (round_id, reached)
        )
    await copy_rows(
        conn,
        "message_count",
        _COUNT,
        [(round_id, step, org, state, n, n) for (org, state), n in counts.items()],
    )
    await conn.execute(
        "update round_step set state = 'open' where round_id = %s and step = %s", (round_id, step)
    )
    return fallers


async def write_history(conn: Connection, round_id: int) -> int:
    """A household to which much has happened."""
    row = await (
        await conn.execute(
            "select m.taxpayer_ids[1] as id, m.person_id from message m where m.round_id = %s and m.step = 1"
            " and m.org_id = 9 order by m.id limit 1",
            (round_id,),
        )
    ).fetchone()
    assert row is not None
    await conn.execute(
        "insert into event (event_key, taxpayer_id, type, at, source) values"
        " ('k1', %(id)s, 'page_stay', %(a)s, '个人所得税APP'),"
        " ('k2', %(id)s, 'filed', %(b)s, '自然人电子税务局')",
        {"id": row["id"], "a": NOW - timedelta(days=3, hours=2), "b": NOW - timedelta(hours=3)},
    )
    await conn.execute(
        "insert into inbound (gateway_id, provider_id, person_id, kind, at) values (1, 'p1', %s, 'text', %s)",
        (row["person_id"], NOW - timedelta(days=3)),
    )
    await conn.execute(
        "insert into opt_out (person_id, channel, at, source) values (%s, 'wechat', %s, 'uplink')",
        (row["person_id"], NOW - timedelta(days=3)),
    )
    return int(row["id"])
