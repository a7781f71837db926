"""Random syntax trees, and a small world of invented taxpayers to read them against."""

import dataclasses
from datetime import date, timedelta

from hypothesis import strategies as st

from outreach.labels.catalogue import Attribute
from outreach.labels.keys import CHANNELS, KINDS
from outreach.labels.tree import (
    COMPARISONS,
    And,
    Between,
    Compare,
    Day,
    Event,
    Everyone,
    Has,
    Label,
    Nobody,
    Not,
    Number,
    OneOf,
    OptedOut,
    Or,
    Reachable,
    Sample,
    Segment,
    Tree,
    Under,
    Word,
)
from outreach.labels.vocabulary import LabelTerm, Unit

FLAGS = {"iit.filed": "已申报", "iit.must_file": "必须办理", "special_care": "特殊关怀"}
GRADES = {"A": "A级", "B": "B级", "M": "M级"}
INDUSTRIES = {"I": "信息业", "I65": "软件业", "C": "制造业"}
CLASSES = ("6510", "6550", "6310", "1310", "I")
UNITS = {1: "1.", 2: "1.2.", 3: "1.3.", 4: "1.2.4."}
EVENTS = ("filed", "paid")
ATTRIBUTES = {
    "amount_due": Attribute("amount_due", "应补税额", "money", "元"),
    "employees": Attribute("employees", "人数", "integer", "人"),
    "burden": Attribute("burden", "税负率", "percent", "%"),
    "due_on": Attribute("due_on", "到期日", "date", ""),
}
LABELS = {
    **{code: LabelTerm(code, name, {}) for code, name in FLAGS.items()},
    "credit_grade": LabelTerm("credit_grade", "信用等级", GRADES),
    "industry": LabelTerm("industry", "行业", INDUSTRIES),
}
NAMED_UNITS = {f"u{id}": [Unit(id, f"u{id}", f"机构{id}", path)] for id, path in UNITS.items()}
FIRST_DAY = date(2026, 1, 1)


@dataclasses.dataclass(frozen=True)
class Taxpayer:
    """All that is true of one taxpayer."""

    id: int
    kind: str
    org_id: int
    flags: frozenset[str]
    grade: str | None
    industry: str | None
    reach: frozenset[str]
    refused: frozenset[str]
    events: frozenset[str]
    values: dict[str, int]


def taxpayers() -> st.SearchStrategy[list[Taxpayer]]:
    """Up to thirty taxpayers with scattered ids, some beyond one chunk."""
    ids = st.one_of(st.integers(1, 80), st.sampled_from([65_535, 65_536, 262_143, 262_144, 5_000_000]))
    values = st.fixed_dictionaries(
        {},
        optional={
            "amount_due": st.sampled_from([-50_000, -1, 0, 1, 39_999, 40_000, 40_001, 12_000_000]),
            "employees": st.integers(-3, 300),
            "burden": st.integers(0, 500),
            "due_on": st.integers(0, 60).map(lambda days: (FIRST_DAY + timedelta(days)).toordinal()),
        },
    )
    one = st.builds(
        Taxpayer,
        id=ids,
        kind=st.sampled_from(list(KINDS)),
        org_id=st.sampled_from(list(UNITS)),
        flags=st.frozensets(st.sampled_from(list(FLAGS))),
        grade=st.none() | st.sampled_from(list(GRADES)),
        industry=st.none() | st.sampled_from(CLASSES),
        reach=st.frozensets(st.sampled_from(CHANNELS)),
        refused=st.frozensets(st.sampled_from((*CHANNELS, "all"))),
        events=st.frozensets(st.sampled_from(EVENTS)),
        values=values,
    )
    return st.lists(one, max_size=30, unique_by=lambda each: each.id)


def _conditions() -> st.SearchStrategy[Tree]:
    grade = st.sampled_from([*GRADES, *GRADES.values()]).map(Word)
    industry = st.sampled_from([*INDUSTRIES, "6510", "I6550", "65", "制造业", "软件业"]).map(Word)
    kind = st.sampled_from([*KINDS, *KINDS.values()]).map(Word)
    equal = st.sampled_from(("=", "!="))
    comparison = st.sampled_from(COMPARISONS)
    money = st.sampled_from(["-500", "0", "0.01", "399.99", "400", "400.00", "400.01", "12万"]).map(Number)
    whole = st.integers(-3, 300).map(lambda number: Number(str(number)))
    percent = st.sampled_from(["0", "1.25", "5%", "4.99%"]).map(Number)
    day = st.integers(0, 60).map(lambda days: Day(FIRST_DAY + timedelta(days)))
    ranges = [("amount_due", money), ("employees", whole), ("burden", percent), ("due_on", day)]
    return st.one_of(
        st.just(Everyone()),
        st.just(Nobody()),
        st.sampled_from([*FLAGS, *FLAGS.values()]).map(Label),
        st.sampled_from(["credit_grade", "industry", *ATTRIBUTES]).map(Has),
        st.builds(Compare, st.just("credit_grade"), equal, grade),
        st.builds(OneOf, st.just("信用等级"), st.lists(grade, min_size=1, max_size=3).map(tuple)),
        st.builds(Compare, st.just("industry"), equal, industry),
        st.builds(OneOf, st.just("industry"), st.lists(industry, min_size=1, max_size=3).map(tuple)),
        st.builds(Compare, st.just("kind"), equal, kind),
        st.builds(OneOf, st.just("kind"), st.lists(kind, min_size=1, max_size=2).map(tuple)),
        st.builds(Compare, st.just("org"), equal, st.sampled_from(list(NAMED_UNITS)).map(Word)),
        st.builds(Under, st.sampled_from(list(NAMED_UNITS))),
        st.builds(Reachable, st.sampled_from(CHANNELS)),
        st.builds(OptedOut, st.sampled_from((*CHANNELS, "all"))),
        st.builds(Event, st.sampled_from(EVENTS)),
        st.builds(Sample, st.integers(0, 499), st.integers(500, 1000), st.integers(0, 9)),
        *(st.builds(Compare, st.just(code), comparison, value) for code, value in ranges),
        *(st.tuples(value, value).map(_between(code)) for code, value in ranges),
    )


def _between(code: str):
    def build(bounds: tuple[Number | Day, Number | Day]) -> Between:
        low, high = sorted(bounds, key=lambda each: each.day if isinstance(each, Day) else each.amount)
        return Between(code, low, high)

    return build


def combined(leaves: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Leaves under and, or, not."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=4).map(lambda items: And(tuple(items))),
            st.lists(inner, min_size=2, max_size=4).map(lambda items: Or(tuple(items))),
        ),
        max_leaves=12,
    )


def meaningful_trees() -> st.SearchStrategy[Tree]:
    """Trees whose names all stand for something in this world."""
    return combined(_conditions())


def any_trees() -> st.SearchStrategy[Tree]:
    """Trees with any names: Chinese, quotes, keywords, blanks."""
    characters = st.characters(exclude_categories=("C", "Zl", "Zp"))
    name = st.one_of(
        st.text(characters, min_size=1, max_size=12).filter(lambda text: text.strip() and text.isprintable()),
        st.sampled_from(
            [
                "and",
                "to",
                "sample",
                "非",
                "且",
                'a"b',
                "\\",
                '\\"',
                "所有 人",
                "ＡＢ",
                "（本地）",
                "a.b",
                "12",
                "org",
                "kind",
            ]
        ),
    )
    number = st.from_regex(
        r"-?[0-9]{1,8}(\.[0-9]{1,3})?[万亿%]?", fullmatch=True, alphabet="-.0123456789万亿%"
    )
    value = st.one_of(name.map(Word), number.map(Number), st.dates().map(Day))
    leaves = st.one_of(
        _conditions(),
        name.map(Label),
        name.map(Has),
        name.map(Under),
        name.map(Event),
        name.map(Segment),
        st.builds(Compare, name, st.sampled_from(COMPARISONS), value),
        st.builds(Between, name, value, value),
        st.builds(OneOf, name, st.lists(value, min_size=1, max_size=4).map(tuple)),
    )
    return combined(leaves)
