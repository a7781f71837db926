"""Staff templates: what they can say, what is refused, and that nothing hostile gets through."""

import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.rendering.errors import TemplateInvalid
from outreach.rendering.expressions import LIMITS, check_variables, compile_template

DAY = date(2026, 6, 30)


def render(source: str, channel: str = "sms", autoescape: bool = False, **values: Any) -> str:
    return compile_template(source, channel=channel, autoescape=autoescape).render(values)


@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        ("您的{{ tax_year }}年度", {"tax_year": 2025}, "您的2025年度"),
        ("{{ 姓名 }}您好", {"姓名": "张三"}, "张三您好"),
        ("{{ n }}", {"n": Decimal("1.50")}, "1.5"),
        ("{{ n }}", {"n": Decimal("2E+3")}, "2000"),
        ("{{ due|money }}元", {"due": Decimal("1234567.005")}, "1,234,567.01元"),
        ("{{ due|money }}", {"due": 0}, "0.00"),
        ("{{ due|money }}", {"due": -0.1}, "-0.10"),
        ("{{ d|date }}", {"d": DAY}, "6月30日"),
        ("{{ d|date }}", {"d": "2026-06-30"}, "6月30日"),
        ('{{ d|date("full") }}', {"d": DAY}, "2026年6月30日"),
        ('{{ d|date("day") }}', {"d": DAY}, "30日"),
        ('{{ d|date("month") }}', {"d": DAY}, "6月"),
        ('{{ d|date("iso") }}', {"d": DAY}, "2026-06-30"),
        ('{{ d|date("iso") }}', {"d": datetime(2026, 6, 30, 16, 30, tzinfo=UTC)}, "2026-07-01"),
        ('{{ d|date("time") }}', {"d": "2026-06-30T16:30:00+00:00"}, "00:30"),
        ("{{ a|until(b) }}", {"a": "2026-04-01", "b": "2026-04-15"}, "4月1日至15日"),
        ("{{ a|until(b) }}", {"a": "2026-04-20", "b": "2026-05-05"}, "4月20日至5月5日"),
        ("{{ a|until(b) }}", {"a": "2025-12-20", "b": "2026-01-05"}, "2025年12月20日至2026年1月5日"),
        ("{{ name|mask_name }}", {"name": "张三丰"}, "张**"),
        ("{{ name|mask_name }}", {"name": "示例市某某有限公司"}, "示例***公司"),
        ("{{ m|mask_mobile }}", {"m": "13800138000"}, "138****8000"),
        ("{{ m|mask_mobile }}", {"m": "12366"}, "*****"),
        ("{{ names|list(2) }}", {"names": ["甲公司", "乙公司", "丙公司"]}, "甲公司、乙公司等3户"),
        ("{{ names|list(3) }}", {"names": ["甲公司", "乙公司", "丙公司"]}, "甲公司、乙公司、丙公司"),
        ('{{ names|list(1, "家") }}', {"names": ("甲", "乙")}, "甲等2家"),
        ("{{ names|list }}", {"names": "只有一家"}, "只有一家"),
        ('{{ x|default("无") }}', {}, "无"),
        ('{{ x|default("无") }}', {"x": None}, "无"),
        ('{{ x|default("无") }}', {"x": 0}, "0"),
        ("{{ x|upto(4) }}", {"x": "一二三四五"}, "一二三…"),
        ("{{ x|upto(5) }}", {"x": "一二三四五"}, "一二三四五"),
        ('{{ x|default("没有名称")|upto(3) }}', {}, "没有…"),
        ("{% if due %}欠{% else %}清{% endif %}", {"due": 0}, "清"),
        ("{% if due > 400 %}多{% elif due > 0 %}少{% else %}无{% endif %}", {"due": Decimal("400.01")}, "多"),
        ("{% if due > 400 %}多{% elif due > 0 %}少{% else %}无{% endif %}", {"due": Decimal(400)}, "少"),
        ('{% if g == "A" and not late %}好{% endif %}', {"g": "A", "late": False}, "好"),
        ('{% if g in ["A", "B"] or late %}好{% endif %}', {"g": "C", "late": True}, "好"),
        ('{% if g not in ("A", "B") %}差{% endif %}', {"g": "A"}, ""),
        ("{% raw %}{{ 不是变量 }}{% endraw %}", {}, "{{ 不是变量 }}"),
        ("尾行\n", {}, "尾行\n"),
    ],
)
def test_what_a_template_can_say(source: str, values: dict[str, Any], expected: str) -> None:
    assert render(source, **values) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 20000000 }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ name|format(1) }}",
        "{{ name.__class__ }}",
        "{{ name['x'] }}",
        "{{ name|attr('__class__') }}",
        "{{ name() }}",
        "{{ range(9) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% for x in names %}{{ x }}{% endfor %}",
        "{% set x = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% filter upper %}{% endfilter %}",
        "{% autoescape false %}{% endautoescape %}",
        "{% with a = 1 %}{% endwith %}",
        "{{ a + b }}",
        "{{ a ~ b }}",
        "{{ -a }}",
        "{{ [a] }}",
        "{{ {'a': 1} }}",
        "{{ (a, b) }}",
        "{{ a if b else c }}",
        "{{ 'text' }}",
        "{{ true }}",
        "{{ a is defined }}",
        "{{ a == 1 }}",
        "{{ not a }}",
        "{{ _private }}",
        "{{ " + "名" * 41 + " }}",
        "{{ a|nothing }}",
        "{{ a|upto }}",
        "{{ a|upto(b) }}",
        "{{ a|upto(0) }}",
        "{{ a|upto(99999999) }}",
        "{{ a|upto(True) }}",
        "{{ a|upto(3, 4) }}",
        "{{ a|upto(most=3) }}",
        "{{ a|upto(*b) }}",
        "{{ a|date('%Y') }}",
        "{{ a|default(1) }}",
        "{{ a|until('2026-01-01') }}",
        "{{ a" + "|upto(9)" * 6 + " }}",
        "{% if a.b %}{% endif %}",
        "{% if a > b %}{% endif %}",
        "{% if 1 < a < 3 %}{% endif %}",
        "{% if a|upto(3) %}{% endif %}",
        "{% if a > 2 ** 9999 %}{% endif %}",
        "{% if a in 'abc' %}{% endif %}",
        "{% if " + "not " * 12 + "a %}{% endif %}",
        "{% if a %}" * 6 + "{% endif %}" * 6,
        "{{",
        "{% if a %}",
        "{% endif %}",
        "{{ a",
        "}}{{ %}",
        "{{ " + "(" * 2000 + " }}",
        "{% if a %}" * 400,
        "{{ " + "9" * 4050 + " }}",
    ],
)
def test_what_is_refused_when_it_is_saved(source: str) -> None:
    with pytest.raises(TemplateInvalid):
        compile_template(source, channel="sms")


@pytest.mark.parametrize(
    ("source", "values", "said"),
    [
        ("{{ due }}", {}, "变量 due 没有值"),
        ("{{ due }}", {"due": None}, "没有值"),
        ("{{ due|money }}", {}, "没有值"),
        ("{{ due|money }}", {"due": "12"}, "不是数字"),
        ("{{ due|money }}", {"due": True}, "不是数字"),
        ("{{ due|money }}", {"due": Decimal("1e1000000")}, "过大"),
        ("{{ due|money }}", {"due": Decimal("NaN")}, "过大"),
        ("{{ due|money }}", {"due": float("inf")}, "过大"),
        ("{{ due }}", {"due": 10**30}, "过大"),
        ("{{ due }}", {"due": True}, "if"),
        ("{{ d }}", {"d": DAY}, "date"),
        ("{{ d }}", {"d": ["甲"]}, "list"),
        ("{{ d }}", {"d": object()}, "不是文字或数字"),
        ("{{ d|date }}", {"d": "下周"}, "不是日期"),
        ("{{ d|date }}", {"d": 20260630}, "不是日期"),
        ('{{ d|date("time") }}', {"d": DAY}, "没有时刻"),
        ("{{ d|until(e) }}", {"d": DAY}, "结束日期没有值"),
        ("{{ d|until(e) }}", {"d": DAY, "e": date(2026, 6, 29)}, "早于"),
        ("{{ d|list }}", {"d": []}, "没有任何名称"),
        ("{{ d|list }}", {"d": 7}, "不是多个名称"),
        ("{% if due %}x{% endif %}", {}, "变量 due 没有值"),
        ("{% if due > 3 %}x{% endif %}", {"due": "甲"}, "不能与 3 比较"),
    ],
)
def test_a_value_that_does_not_fit_names_its_variable(source: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(TemplateInvalid, match=said) as caught:
        render(source, **values)
    assert caught.value.details["variable"] in source


def test_the_place_of_a_mistake_is_told() -> None:
    with pytest.raises(TemplateInvalid) as caught:
        compile_template("第一行\n您好 {{ name|mask_nam }}", channel="sms")
    assert (caught.value.details["line"], caught.value.details["column"]) == (2, 12)
    assert caught.value.details["suggestion"] == "mask_name"
    assert caught.value.message.startswith("第2行第12列：没有名为 mask_nam 的过滤器")


def test_an_unknown_variable_is_found_when_saved_with_the_nearest_name() -> None:
    compiled = compile_template("deadlin 是期限\n请于{{ deadlin|date }}前办理", channel="sms")
    check_variables(compiled, ["deadlin", "tax_year"])
    with pytest.raises(TemplateInvalid, match="deadline") as caught:
        check_variables(compiled, ["deadline", "tax_year"])
    assert caught.value.details == {"line": 2, "column": 6, "variable": "deadlin", "suggestion": "deadline"}


def test_variables_are_those_of_all_branches_and_arguments() -> None:
    source = '{% if a > 1 %}{{ b|until(c) }}{% elif d %}{{ e|default("x") }}{% endif %}'
    assert compile_template(source, channel="sms").variables == {"a", "b", "c", "d", "e"}


def test_a_version_is_compiled_once() -> None:
    assert compile_template("{{ x }}", channel="sms") is compile_template("{{ x }}", channel="sms")
    assert compile_template("{{ x }}", channel="email") is not compile_template("{{ x }}", channel="sms")


def test_html_values_are_escaped_and_plain_ones_are_not() -> None:
    attack = "<script>alert('1')</script>&\""
    html = render("<p>{{ x }}</p>", "email_html", True, x=attack)
    assert html == "<p>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&#34;</p>"
    assert render("{{ x }}", "email", x=attack) == attack


def test_values_cannot_forge_lines_or_turn_the_writing() -> None:
    assert render("{{ x }}", x="甲\r\n【假冒】\u202e乙\u2066\x00") == "甲【假冒】乙"


def test_limits_of_source_and_output() -> None:
    compile_template("字" * 1365, channel="sms")
    with pytest.raises(TemplateInvalid, match="4 KB"):
        compile_template("字" * 1366, channel="sms")
    limit = LIMITS["sms"].output
    assert len(render("{{ x }}", x="字" * limit)) == limit
    with pytest.raises(TemplateInvalid, match=f"超过 {limit} 字"):
        render("{{ x }}", x="字" * (limit + 1))
    with pytest.raises(TemplateInvalid, match="超过"):
        render("{% if x %}" + "{{ x }}" * 3 + "{% endif %}", x="字" * (limit // 2))


def test_output_never_grows_past_the_limit_in_memory() -> None:
    """Nine thousand times a hundred thousand characters would be 900 MB."""
    compiled = compile_template("{{ x }}" * 9000, channel="email_html")
    tracemalloc.start()
    try:
        with pytest.raises(TemplateInvalid):
            compiled.render({"x": "x" * 100_000})
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMITS["email_html"].output
    finally:
        tracemalloc.stop()


@given(st.text(alphabet="{}%|()[]'\"#- \nifelsndaxor甲乙.*~+_0123456789=<>,", max_size=200))
@settings(deadline=None, max_examples=400)
def test_any_source_either_compiles_or_is_refused(source: str) -> None:
    try:
        compiled = compile_template(source, channel="sms")
    except TemplateInvalid as error:
        assert error.message
        return
    try:
        text = compiled.render(dict.fromkeys(compiled.variables, "值"))
    except TemplateInvalid:
        return
    assert len(text) <= LIMITS["sms"].output


@given(st.text(max_size=400))
def test_text_without_marks_is_itself(text: str) -> None:
    if "{" in text or len(text) > LIMITS["sms"].output:
        return
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert render(text) == expected


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_value_is_never_parsed_again(first: str, second: str) -> None:
    hostile = "{{ second }}{% if x %}" + first
    shown = render("{{ first }}|{{ second }}", "email", first=hostile, second=second)
    assert shown.startswith("{{ second }}{% if x %}")
    assert shown.count("|") == (first + second).count("|") + 1


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=2))
def test_money_is_exact(amount: Decimal) -> None:
    assert Decimal(render("{{ x|money }}", x=amount).replace(",", "")) == amount


@given(st.dates(), st.dates())
def test_spans_name_both_ends(first: date, last: date) -> None:
    if last < first:
        return
    shown = render("{{ a|until(b) }}", a=first, b=last)
    assert shown.startswith(render("{{ a|date }}", a=first)) or first.year != last.year
    assert shown.endswith(f"{last.day}日")
    assert (f"{last.year}年" in shown) == (first.year != last.year)


def test_an_sms_is_rendered_within_its_budget() -> None:
    """Counted in calls, of which a slow machine makes no more: about a hundred for six slots. How many
    messages a second that makes, the benches measure."""
    compiled = compile_template(
        "{{ name|mask_name }}您好，{{ firm }}请于{{ deadline|date }}前申报{{ period }}，"
        "{% if due %}登录个人所得税APP查看{{ item }}{% endif %}。咨询12366。",
        channel="sms",
    )
    values = {
        "name": "张三",
        "firm": "示例公司",
        "deadline": DAY,
        "period": "二季度",
        "due": 1,
        "item": "明细",
    }
    assert 0 < _calls_of(compiled.render, values) < 200


def _calls_of(call: Callable[[Any], object], values: dict[str, Any]) -> int:
    """Functions that are called, Python's own among them."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        call(values)
    finally:
        sys.setprofile(None)
    return calls
