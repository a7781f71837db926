"""A made-up province for looking at the console: five levels, households, a season in the middle of its
second round. For tests and development only; every name and number is invented."""

import random
from dataclasses import dataclass
from datetime import date, timedelta

from pyroaring import BitMap

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.governance.accounts import create_account
from outreach.governance.vault import Vault, open_vault
from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.labels.keys import exists_key, label_key
from outreach.labels.sets import change_sets
from outreach.rehearsal import NAMES, add_gateways, file_templates
from outreach.runtime import Runtime
from outreach.setup import ensure_templates
from tests.e2e.season import NOW, play_round, write_campaigns, write_history

PASSWORD = "xiaoshu chuntian he yanzi"
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
_TAXPAYER = [
    ("id", "int4"), ("kind", "text"), ("name", "text"), ("tax_no_enc", "bytea"), ("tax_no_bidx", "bytea"),
    ("org_id", "int4"), ("industry", "text"), ("registered_on", "date"), ("number_kind", "text"),
    ("digest", "bytea"),
]  # fmt: skip
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
            "insert into worker (name, kind, host, pid)"
            " values ('demo:1', 'worker', 'demo', 1), ('demo:2', 'worker', 'demo', 2)"
        )
    await ensure_templates(rt, 1)
    gateways = await add_gateways(rt, dict.fromkeys(NAMES, 1), rate=400, quiet_seconds=900)
    await file_templates(rt, gateways)
    for login, name, org_id, roles in ACCOUNTS:
        await create_account(
            rt, "setup", login=login, display_name=name, password=PASSWORD, org_id=org_id, roles=roles
        )
    campaign, draft = await write_campaigns(rt)
    rounds = [
        row["id"]
        for row in await rt.db.fetch(
            "select id from round where campaign_id = %(c)s order by ordinal", {"c": campaign}
        )
    ]
    async with rt.db.begin() as conn:
        first, last = companies + 1, companies + people
        await play_round(conn, chance, rounds[0], gateways, BitMap(range(first, last + 1)), finished=True)
        await play_round(conn, chance, rounds[1], gateways, BitMap(range(first, last + 1)), finished=False)
        household = await write_history(conn, rounds[0])
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


async def _registry(
    conn: Connection, vault: Vault, chance: random.Random, people: int, companies: int
) -> None:
    ids = range(1, companies + people + 1)
    names = [chance.choice(_SURNAMES) + "".join(chance.sample(_GIVEN, chance.choice((1, 2)))) for _ in ids]
    homes = [_home(chance) for _ in ids]
    id_nos = [f"11010119900307{n:04d}" for n in ids]
    mobiles = [f"139{n:08d}" for n in ids]
    await copy_rows(
        conn,
        "person",
        [
            ("id", "int4"),
            ("name_enc", "bytea"),
            ("id_no_enc", "bytea"),
            ("id_no_bidx", "bytea"),
            ("digest", "bytea"),
        ],
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
        _TAXPAYER,
        [
            (
                n,
                "enterprise" if n <= companies else "natural_person",
                _company(chance, n) if n <= companies else None,
                sealed,
                index,
                homes[n - 1],
                "5190" if n <= companies else "",
                date(2019, 5, 6) if n <= companies else None,
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
    return (
        _LONG if n == 1 else f"北河市{chance.choice(_WORDS)}{chance.choice(_WORDS)}{chance.choice(_TRADES)}"
    )


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
            "insert into import_error (import_id, row_number, field, value_masked, reason)"
            " values (%s, %s, %s, %s, %s)",
            (row["id"], number, field, value, reason),
        )
    await conn.execute(
        "insert into segment (name, expression, org_id, created_by)"
        " values (%s, %s, 2, 'planner'), (%s, %s, 1, 'province')",
        (
            "应补税未申报",
            "iit.must_file and not iit.filed",
            "能收 5G 消息的自然人",
            "kind = natural_person and reachable by rcs",
        ),
    )
