"""A made-up province for looking at the console: five levels, households, a season in the middle of its
second round. For tests and development only; every name and number is invented."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyroaring import BitMap

from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, approve_campaign, create_campaign
from campaigns.exclusions import exclude
from outreach.clock import BEIJING
from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.governance.accounts import create_account
from outreach.governance.vault import Vault, open_vault
from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.labels.keys import exists_key, label_key
from outreach.labels.sets import change_sets
from outreach.rehearsal import NAMES, add_gateways
from outreach.runtime import Runtime
from outreach.setup import ensure_templates

NOW = datetime(2026, 3, 18, 10, 24, tzinfo=BEIJING)
PASSWORD = "xiaoshu chuntian he yanzi"
PERIOD = 202603
UNITS = (
    (1, None, 1, "示例省税务局"),
    (2, 1, 2, "北河市税务局"),
    (3, 1, 2, "南原市税务局"),
    (4, 2, 3, "北河市青山县税务局"),
    (5, 2, 3, "北河市临水区税务局"),
    (6, 3, 3, "南原市云岭县税务局"),
    (7, 4, 4, "青山县城关税务分局"),
    (8, 4, 4, "青山县石桥税务所"),
    (9, 7, 5, "城关第一网格"),
    (10, 7, 5, "城关第二网格"),
)
"""id, parent, level, name."""

ACCOUNTS = (
    ("planner", "李文静", 2, ("planner",)),
    ("approver", "赵建国", 1, ("approver",)),
    ("province", "王海燕", 1, ("planner",)),
    ("branch", "陈小明", 7, ("executor",)),
    ("editor", "周晓兰", 2, ("content_editor",)),
    ("data", "吴立新", 2, ("data_officer",)),
)
_LONG = "示例省北河市青山县城关镇向阳街道新时代高质量发展农产品冷链物流科技服务有限责任公司"
_WORDS = ("晨光", "远航", "青禾", "云帆", "恒泰", "金穗", "北辰", "瑞和", "佳木", "宏图")
_TRADES = ("商贸有限公司", "科技有限公司", "餐饮店", "建材经营部", "运输有限公司", "口腔诊所")
_SURNAMES, _GIVEN = "张王李赵刘陈杨黄周吴", "伟芳娜敏静丽强磊军洋勇艳杰涛明"


@dataclass(frozen=True)
class Seeded:
    """Ids that tests ask for."""

    campaign: int
    draft: int
    running_round: int
    finished_round: int
    template: int
    household: int


async def seed(rt: Runtime, *, people: int = 2_000, companies: int = 120) -> Seeded:
    """Write everything; about a second for each ten thousand people."""
    chance = random.Random(2026)
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        await _units(conn)
        await _clock(conn)
        await load_builtin(conn)
        await _registry(conn, vault, chance, people, companies)
        await refresh_derived(conn, source="登记信息")
        await _labels(conn, chance, companies + 1, companies + people)
        await conn.execute(
            "insert into worker (name, kind, host, pid) values ('demo:1', 'worker', 'demo', 1), ('demo:2', 'worker', 'demo', 2)"
        )
    await ensure_templates(rt, 1)
    gateways = await add_gateways(rt, dict.fromkeys(NAMES, 1), rate=400, quiet_seconds=900)
    for login, name, org_id, roles in ACCOUNTS:
        await create_account(
            rt, "setup", login=login, display_name=name, password=PASSWORD, org_id=org_id, roles=roles
        )
    campaign, draft = await _campaigns(rt)
    rounds = [row["id"] for row in await rt.db.fetch("select id from round where campaign_id = %(c)s order by ordinal", {"c": campaign})]
    async with rt.db.begin() as conn:
        first, last = companies + 1, companies + people
        await _play(conn, chance, rounds[0], gateways, BitMap(range(first, last + 1)), finished=True)
        await _play(conn, chance, rounds[1], gateways, BitMap(range(first, last + 1)), finished=False)
        household = await _eventful(conn, rounds[0])
        await _import_record(conn)
    template = await rt.db.fetch_one("select id from template where code = 'iit_B2' and channel = 'rcs'")
    assert template is not None
    return Seeded(campaign, draft, rounds[1], rounds[0], template["id"], household)


async def _units(conn: Connection) -> None:
    paths: dict[int, str] = {}
    for unit, parent, level, name in UNITS:
        paths[unit] = f"{paths.get(parent or 0, '')}{unit}."
        await conn.execute(
            "insert into org_unit (id, parent_id, level, code, name, path) values (%s, %s, %s, %s, %s, %s)",
            (unit, parent, level, f"1{unit:08d}", name, paths[unit]),
        )


async def _clock(conn: Connection) -> None:
    await conn.execute(
        "insert into business_clock (real_at, business_at, speed) values (now(), %s, 0)", (NOW,)
    )


async def _registry(conn: Connection, vault: Vault, chance: random.Random, people: int, companies: int) -> None:
    ids = range(1, companies + people + 1)
    names = [chance.choice(_SURNAMES) + "".join(chance.sample(_GIVEN, chance.choice((1, 2)))) for _ in ids]
    homes = [_home(chance) for _ in ids]
    id_nos = [f"11010119900307{n:04d}" for n in ids]
    mobiles = [f"139{n:08d}" for n in ids]
    await copy_rows(
        conn,
        "person",
        [("id", "int4"), ("name_enc", "bytea"), ("id_no_enc", "bytea"), ("id_no_bidx", "bytea"), ("digest", "bytea")],
        zip(
            ids,
            vault.encrypt_many("person", "name_enc", ids, names),
            vault.encrypt_many("person", "id_no_enc", ids, id_nos),
            vault.blind_indexes("id_no", id_nos),
            [b""] * len(names),
            strict=True,
        ),
    )
    numbers = [f"91150000MA{n:08d}" if n <= companies else id_nos[n - 1] for n in ids]
    await copy_rows(
        conn,
        "taxpayer",
        [("id", "int4"), ("kind", "text"), ("name", "text"), ("tax_no_enc", "bytea"), ("tax_no_bidx", "bytea"),
         ("org_id", "int4"), ("industry", "text"), ("registered_on", "date"), ("number_kind", "text"), ("digest", "bytea")],
        [
            (
                n,
                "enterprise" if n <= companies else "natural_person",
                _company(chance, n) if n <= companies else None,
                sealed,
                index,
                homes[n - 1],
                "5190" if n <= companies else "",
                datetime(2019, 5, 6).date() if n <= companies else None,
                "credit_code" if n <= companies else "identity_card",
                b"",
            )
            for n, sealed, index in zip(
                ids,
                vault.encrypt_many("taxpayer", "tax_no_enc", ids, numbers),
                vault.blind_indexes("tax_no", numbers),
                strict=True,
            )
        ],
    )  # fmt: skip
    roles = [(n, n, "tax_filer" if n <= companies else "self") for n in ids]
    await copy_rows(conn, "role", [("taxpayer_id", "int4"), ("person_id", "int4"), ("role", "text")], roles)
    await copy_rows(conn, "contact", [("taxpayer_id", "int4"), ("person_id", "int4")], [(n, n) for n in ids])
    reachable = [n for n in ids if n % 23]
    bidx = vault.blind_indexes("address.mobile", [mobiles[n - 1] for n in reachable])
    sealed = vault.encrypt_many("address", "value_enc", reachable, [mobiles[n - 1] for n in reachable])
    await copy_rows(
        conn,
        "address",
        [("id", "int4"), ("person_id", "int4"), ("kind", "text"), ("value_enc", "bytea"), ("bidx", "bytea"),
         ("dest", "int8"), ("rcs", "bool")],
        [
            (n, n, "mobile", value, index, vault.dest(index), n % 3 == 0)
            for n, value, index in zip(reachable, sealed, bidx, strict=True)
        ],
    )  # fmt: skip


def _home(chance: random.Random) -> int:
    return chance.choices((9, 10, 8, 5, 6), (35, 20, 15, 20, 10))[0]


def _company(chance: random.Random, n: int) -> str:
    return _LONG if n == 1 else f"北河市{chance.choice(_WORDS)}{chance.choice(_WORDS)}{chance.choice(_TRADES)}"


async def _labels(conn: Connection, chance: random.Random, first: int, last: int) -> None:
    everyone = BitMap(range(first, last + 1))
    must = BitMap(n for n in everyone if chance.random() < 0.62)
    filed = BitMap(n for n in everyone if chance.random() < 0.37)
    changes = {
        label_key("iit.must_file"): (must, BitMap()),
        label_key("iit.refund_expected"): (everyone - must, BitMap()),
        label_key("iit.filed"): (filed, BitMap()),
        label_key("iit.exempt"): (BitMap(n for n in must if chance.random() < 0.05), BitMap()),
        label_key("iit.disputed"): (BitMap(n for n in must if chance.random() < 0.004), BitMap()),
        exists_key("amount_due"): (must, BitMap()),
    }
    await change_sets(conn, changes, source="自然人电子税务局", as_of=NOW.date())


async def _campaigns(rt: Runtime) -> tuple[int, int]:
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
        "quota_messages": 2,
        "quota_days": 7,
    }
    main = CampaignDraft(
        code="iit-2025-beihe", name="2025 年度个人所得税综合所得汇算清缴提醒", rounds=waves, **draft
    )
    campaign = await create_campaign(rt, "planner", main)
    await approve_campaign(rt, campaign, "approver")
    other = CampaignDraft(
        code="iit-2025-recheck",
        name="专项附加扣除信息核对提醒（青山县、临水区两地试点，含城关和石桥）",
        rounds=waves[2:],
        **{**draft, "quota_messages": None, "quota_days": None},
    )
    return campaign, await create_campaign(rt, "planner", other)


async def _play(
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
    odds = {"already_done": 0.12 if finished else 0.31, "disputed": 0.003, "exempt": 0.03, "opted_out": 0.02,
            "held_out": 0.02, "contacted_recently": 0.0 if finished else 0.01, "no_address": 0.04}  # fmt: skip
    candidates = {reason: BitMap(n for n in audience if chance.random() < p) for reason, p in odds.items()}
    planned, exclusions = exclude(audience, candidates)
    sets = [("audience", "", audience), *(("exclusion", e.reason, e.members) for e in exclusions), ("planned", "", planned)]
    for ordinal, (kind, reason, members) in enumerate(sets):
        await conn.execute(
            "insert into round_set (round_id, ordinal, kind, reason, size, data) values (%s, %s, %s, %s, %s, %s)",
            (round_id, ordinal, kind, reason, len(members), members.serialize()),
        )
    await conn.execute(
        "update round set state = %s, started_at = %s, finished_at = %s, audience = %s, planned = %s, period = %s where id = %s",
        ("finished" if finished else "running", started, NOW - timedelta(days=11) if finished else None,
         len(audience), len(planned), PERIOD, round_id),
    )  # fmt: skip
    await conn.execute("select ensure_period('message', %s)", (PERIOD,))
    fallers = await _step(conn, chance, round_id, 0, gateways["fiveg_bot"], list(planned), homes, finished)
    fallers = await _step(conn, chance, round_id, 1, gateways["aliyun_sms"], fallers, homes, finished)
    await _step(conn, chance, round_id, 2, gateways["wechat_official"], fallers[: len(fallers) // 2], homes, finished)


async def _step(
    conn: Connection, chance: random.Random, round_id: int, step: int, gateway: int, who: list[int],
    homes: dict[int, int], finished: bool,
) -> list[int]:  # fmt: skip
    weights = ((5, 46), (3, 33), (4, 20), (1, 1)) if finished else ((5, 28), (3, 30), (2, 16), (4, 14), (0, 11), (1, 1))
    fallers, counts = [], dict[tuple[int, int], int]()
    for start in range(0, len(who), 1000):
        part = who[start : start + 1000]
        row = await (await conn.execute("select nextval('batch_id') as id")).fetchone()
        assert row is not None
        batch, shard = row["id"], row["id"] % 8
        await conn.execute(
            "insert into batch (shard, id, period, round_id, step, gateway_id, lane, n, watermark, settled, state)"
            " values (%s, %s, %s, %s, %s, %s, 3, %s, %s, %s, %s)",
            (shard, batch, PERIOD, round_id, step, gateway, len(part), len(part), len(part) * 8 // 10, 1 if finished else 0),
        )
        rows = []
        for position, person in enumerate(part):
            state = chance.choices([s for s, _ in weights], [w for _, w in weights])[0]
            counts[homes[person], state] = counts.get((homes[person], state), 0) + 1
            fallers += [person] if state == 4 else []
            at = NOW - timedelta(days=18 if finished else 1, minutes=chance.randrange(600))
            rows.append((PERIOD, shard, batch * 1000 + position, round_id, step, person, homes[person], 1, 0, state,
                         0 if state == 0 else 1, at, [person], "EXPIRED" if state == 4 else None))  # fmt: skip
        await copy_rows(
            conn, "message",
            [("period", "int4"), ("shard", "int2"), ("id", "int8"), ("round_id", "int4"), ("step", "int2"),
             ("person_id", "int4"), ("org_id", "int4"), ("reach", "int2"), ("dest", "int8"), ("state", "int2"),
             ("parts", "int2"), ("at", "timestamptz"), ("taxpayer_ids", "int4[]"), ("code", "text")], rows,
        )  # fmt: skip
    await copy_rows(
        conn, "message_count",
        [("round_id", "int4"), ("step", "int2"), ("org_id", "int4"), ("state", "int2"), ("n", "int4"), ("households", "int4")],
        [(round_id, step, org, state, n, n) for (org, state), n in counts.items()],
    )  # fmt: skip
    await conn.execute("update round_step set state = 'open' where round_id = %s and step = %s", (round_id, step))
    return fallers


async def _eventful(conn: Connection, round_id: int) -> int:
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
        " ('k1', %(id)s, 'page_stay', %(a)s, '个人所得税APP'), ('k2', %(id)s, 'filed', %(b)s, '自然人电子税务局')",
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


async def _import_record(conn: Connection) -> None:
    row = await (
        await conn.execute(
            "insert into import_file (kind, name, sha256, state, rows_read, rows_good, rows_bad, rows_new,"
            " rows_changed, rows_same, by, org_id, started_at, finished_at) values ('taxpayers',"
            " '2026年3月登记信息（北河市全部）.xlsx', '\\x00', 'finished', 24120, 24117, 3, 21000, 800, 2317,"
            " 'data', 2, %s, %s) returning id",
            (NOW - timedelta(days=30), NOW - timedelta(days=30) + timedelta(seconds=9)),
        )
    ).fetchone()
    assert row is not None
    problems = (
        (17, "统一社会信用代码", "9115****0017", "校验位不对，请核对营业执照"),
        (2048, "手机号码", "1390****12", "手机号应为 11 位"),
        (9001, "主管税务机关", "石桥所", "没有这个机构，请先导入机构或改用机构代码"),
    )
    for number, field, value, reason in problems:
        await conn.execute(
            "insert into import_error (import_id, row_number, field, value_masked, reason) values (%s, %s, %s, %s, %s)",
            (row["id"], number, field, value, reason),
        )
    await conn.execute(
        "insert into segment (name, expression, org_id, created_by) values (%s, %s, 2, 'planner'), (%s, %s, 1, 'province')",
        ("应补税未申报", "iit.must_file and not iit.filed", "能收 5G 消息的自然人", "kind = natural_person and reachable by rcs"),
    )
