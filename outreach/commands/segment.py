"""`outreach segment`: counts and explanations of expressions."""

from typing import Annotated

import typer

from outreach.commands.running import run, tell
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import count as count_segment
from outreach.labels.explain import Explanation
from outreach.labels.explain import explain as explain_segment

app = typer.Typer(no_args_is_help=True, help="人群表达式")


@app.command()
def count(expression: str, org: Annotated[int, typer.Option(help="机构编号")] = 1) -> None:
    """有多少户符合表达式。"""
    found = run(lambda rt: count_segment(rt, SetCache(), expression, org))
    tell(f"{found:,} 户")


@app.command()
def explain(expression: str, taxpayer: int, org: Annotated[int, typer.Option(help="机构编号")] = 1) -> None:
    """一户为什么符合，或为什么不符合。"""
    explanation = run(lambda rt: explain_segment(rt, SetCache(), expression, org, taxpayer))
    _show_explanation(explanation, 0)


def _show_explanation(node: Explanation, depth: int) -> None:
    mark = "✔" if node.holds else "✘"
    source = f"（{node.origin.source}）" if node.origin else ""
    tell(f"{'  ' * depth}{mark} {node.sentence}{source}")
    for child in node.children:
        _show_explanation(child, depth + 1)
