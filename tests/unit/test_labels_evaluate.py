"""Expressions as bitmaps against the same expressions read taxpayer by taxpayer, with nothing shared."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap, FrozenBitMap

from outreach.labels.bind import bind
from outreach.labels.draw import drawn
from outreach.labels.evaluate import Facts, members_of
from outreach.labels.keys import attribute_keys, industry_digits
from outreach.labels.language import parse
from outreach.labels.plan import walk_plan
from outreach.labels.text import to_text
from outreach.labels.tree import (
    And,
    Between,
    Compare,
    Day,
    Event,
    Everyone,
    ExpressionInvalid,
    Has,
    Label,
    Nobody,
    Not,
    OneOf,
    OptedOut,
    Or,
    Reachable,
    Sample,
    Under,
)
from outreach.labels.vocabulary import LabelTerm, Saved, Unit, Vocabulary
from tests.unit.labels_world import (
    ATTRIBUTES,
    CLASSES,
    FLAGS,
    GRADES,
    INDUSTRIES,
    KINDS,
    LABELS,
    NAMED_UNITS,
    UNITS,
    Taxpayer,
    meaningful_trees,
    taxpayers,
)

SCALES = {"amount_due": 100, "employees": 1, "burden": 100}
OPERATIONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def holds(tree, one: Taxpayer) -> bool:
    """The meaning of an expression for one taxpayer, written without bitmaps."""
    match tree:
        case Everyone():
            return True
        case Nobody():
            return False
        case Not(item=item):
            return not holds(item, one)
        case And(items=items):
            return all(holds(item, one) for item in items)
        case Or(items=items):
            return any(holds(item, one) for item in items)
        case Label(name=name):
            return name in one.flags or any(FLAGS[flag] == name for flag in one.flags)
        case Has(name="credit_grade"):
            return one.grade is not None
        case Has(name="industry"):
            return one.industry is not None
        case Has(name=name):
            return name in one.values
        case Reachable(channel=channel):
            return channel in one.reach
        case OptedOut(channel=channel):
            return channel in one.refused
        case Event(type=kind):
            return kind in one.events
        case Sample(low=low, high=high, seed=seed):
            return one.id in drawn(BitMap([one.id]), low, high, seed)
        case Under(unit=unit):
            return UNITS[one.org_id].startswith(UNITS[int(unit[1:])])
        case Compare(name="org", op=op, value=value):
            return OPERATIONS[op](f"u{one.org_id}", value.text)
        case _:
            return _value_holds(tree, one)


def _value_holds(tree, one: Taxpayer) -> bool:
    match tree:
        case Compare(name="kind", op=op, value=value):
            return OPERATIONS[op](True, value.text in (one.kind, KINDS[one.kind]))
        case OneOf(name="kind", values=values):
            return any(value.text in (one.kind, KINDS[one.kind]) for value in values)
        case Compare(name="industry", op=op, value=value):
            return one.industry is not None and OPERATIONS[op](True, _under(one.industry, value.text))
        case OneOf(name="industry", values=values):
            return one.industry is not None and any(_under(one.industry, value.text) for value in values)
        case Compare(name="credit_grade", op=op, value=value):
            return one.grade is not None and OPERATIONS[op](
                True, value.text in (one.grade, GRADES[one.grade])
            )
        case OneOf(values=values):
            return one.grade is not None and any(
                value.text in (one.grade, GRADES[one.grade]) for value in values
            )
        case Compare(name=name, op=op, value=value):
            return name in one.values and OPERATIONS[op](one.values[name], _stored(name, value))
        case Between(name=name, low=low, high=high):
            bounds = _stored(name, low), _stored(name, high)
            return name in one.values and bounds[0] <= one.values[name] <= bounds[1]
    raise AssertionError(tree)


def _under(industry: str, wanted: str) -> bool:
    codes = {name: code for code, name in INDUSTRIES.items()}
    wanted = codes.get(wanted, wanted)
    doors = {"6510": "I", "6550": "I", "6310": "I", "1310": "C", "I": "I"}
    if wanted in ("I", "C"):
        return doors[industry] == wanted
    return industry.startswith(wanted.lstrip("IC"))


def _stored(name: str, value) -> int:
    return value.day.toordinal() if isinstance(value, Day) else int(value.amount * SCALES[name])


def sets_of(people: list[Taxpayer]) -> dict[str, set[int]]:
    sets: dict[str, set[int]] = {}
    for one in people:
        names = [f"label:{flag}" for flag in one.flags]
        names += [f"reach:{channel}" for channel in one.reach]
        names += [f"optout:{channel}" for channel in one.refused]
        names += [f"event:{kind}" for kind in one.events]
        names += [f"kind:{one.kind}", f"org:{one.org_id}"]
        names += [f"label:credit_grade={one.grade}"] * (one.grade is not None)
        names += [f"label:industry={one.industry}"] * (one.industry is not None)
        for code, value in one.values.items():
            names.append(f"attr:{code}/exists")
            names += [f"attr:{code}/sign"] * (value < 0)
            names += [f"attr:{code}/{bit}" for bit in range(48) if abs(value) >> bit & 1]
        for name in names:
            sets.setdefault(name, set()).add(one.id)
    return sets


def facts_of(people: list[Taxpayer], plan, scope_org_id: int) -> Facts:
    stored = sets_of(people)
    names = {key for node in walk_plan(plan) for key in getattr(node, "keys", ())}
    names |= {key for code in ATTRIBUTES for key in attribute_keys(code)}
    sets = {name: FrozenBitMap(stored.get(name, ())) for name in names}
    subtrees = {
        unit: FrozenBitMap(one.id for one in people if UNITS[one.org_id].startswith(path))
        for unit, path in UNITS.items()
    }
    return Facts(subtrees[scope_org_id], sets, subtrees, {})


def world_vocabulary() -> Vocabulary:
    by_name = {term.name: term for term in (*LABELS.values(), *ATTRIBUTES.values())}
    labels = {**LABELS, **{name: term for name, term in by_name.items() if isinstance(term, LabelTerm)}}
    grades = [f"label:credit_grade={grade}" for grade in GRADES]
    classes = [f"label:industry={industry_digits(each)}" for each in CLASSES]
    return Vocabulary(labels, ATTRIBUTES, NAMED_UNITS, set_keys=sorted(grades + classes))


@settings(max_examples=400, deadline=None)
@given(meaningful_trees(), taxpayers(), st.sampled_from(list(UNITS)))
def test_bitmaps_mean_what_the_words_mean(tree, people, scope_org_id):
    plan, said = bind(tree, world_vocabulary(), to_text(tree))
    found = members_of(plan, facts_of(people, plan, scope_org_id))
    in_scope = [one for one in people if UNITS[one.org_id].startswith(UNITS[scope_org_id])]
    assert set(found) == {one.id for one in in_scope if holds(tree, one)}
    again, _ = bind(said, world_vocabulary(), to_text(said))
    assert set(members_of(again, facts_of(people, again, scope_org_id))) == set(found)


@given(meaningful_trees(), taxpayers())
def test_canonical_text_reads_back(tree, people):
    _, said = bind(tree, world_vocabulary(), "")
    assert parse(to_text(said)) == said


KNOWN = {
    "label": [("iit.must_file", "必须办理汇算"), ("iit.filed", "汇算已申报")],
    "attribute": [("amount_due", "应补税额")],
    "unit": [("1501", "示例市税务局")],
    "segment": [("", "重点企业")],
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "not iit.must_fill",
            "第 1 行第 5 列：没有标签 iit.must_fill，是否想写 iit.must_file（必须办理汇算）？",
        ),
        ("汇算已申抱", "没有标签 汇算已申抱，是否想写 iit.filed（汇算已申报）？"),
        ("IIT.FILED", "是否想写 iit.filed"),
        ("amount_dew > 4", "没有属性或标签 amount_dew，是否想写 amount_due（应补税额）？"),
        ("org under 示例市税务", "没有机构 示例市税务，是否想写 1501（示例市税务局）？"),
        ("segment 重点企业们", "没有人群 重点企业们，是否想写 重点企业？"),
        ("甲且乙", "且、或、非的两边请加空格"),
        ("qqqq", "没有标签 qqqq。"),
        ("amount_due", "是属性，请写比较"),
        ("credit_grade", "有多个取值"),
        ("credit_grade = E", "没有取值 E，可用：A（A级）、B（B级）、M（M级）"),
        ("credit_grade > A", "只能用 =、!= 或 in"),
        ("credit_grade = 2026-01-01", "不是日期"),
        ("iit.filed = A", "有或无的标签"),
        ("has iit.filed", "有或无的标签"),
        ("industry = C65", "没有取值 C65"),
        ("industry = I6", "没有取值 I6"),
        ("kind = company", "没有取值 company"),
        ("amount_due > 400.001", "金额最多 2 位小数"),
        ("amount_due > 2026-01-01", "不是日期"),
        ("amount_due > 5%", "不是百分比"),
        ("amount_due in (1, 2)", "请用比较或 between"),
        ("amount_due > A", "不是“A”"),
        ("employees >= 1.5", "不能有小数"),
        ("due_on > 5", "应是日期"),
        ("amount_due > 999999999亿", "数字太大"),
        ("amount_due between 5 and 4", "应不大于"),
    ],
)
def test_errors_of_meaning(text, message):
    words = world_vocabulary()
    with pytest.raises(ExpressionInvalid) as caught:
        bind(parse(text), Vocabulary(words.labels, words.attributes, known_names=KNOWN), text)
    assert message in caught.value.message


def test_ambiguous_unit_lists_candidates():
    units = {"一分局": [Unit(id, f"15{id}", "一分局", f"1.{id}.") for id in range(10, 17)]}
    with pytest.raises(ExpressionInvalid, match=r"请写代码：1510、1511、1512、1513、1514 等 7 个"):
        bind(parse("org under 一分局"), Vocabulary(units=units), "org under 一分局")


def test_errors_of_a_segment_are_told_where_it_is_used():
    inner = "iit.filed and nothing_known"
    saved = Saved(1, "甲", inner, parse(inner), Vocabulary(LABELS), 3)
    with pytest.raises(ExpressionInvalid) as caught:
        bind(parse("not segment 甲"), Vocabulary(segments={"甲": saved}), "not segment 甲")
    assert (
        caught.value.message
        == "第 1 行第 5 列：人群“甲”的表达式有误：第 1 行第 15 列：没有标签 nothing_known。"
    )


@pytest.mark.parametrize(("fen", "counted"), [(40_000, False), (40_001, True)])
def test_the_boundary_of_400_yuan_is_exact(fen, counted):
    one = Taxpayer(
        7,
        "natural_person",
        1,
        frozenset(),
        None,
        None,
        frozenset(),
        frozenset(),
        frozenset(),
        {"amount_due": fen},
    )
    plan, _ = bind(parse("amount_due > 400"), world_vocabulary(), "")
    assert (7 in members_of(plan, facts_of([one], plan, 1))) is counted
