"""What a bench hands back: one row per figure, with its budget and the raw ceiling of the same run."""

from typing import TypedDict


class Row(TypedDict):
    """One measured figure. `budget` is that of design.md section 12 (None: not budgeted), `ok` whether it
    holds, `ceiling` what bare code reached in the same run, `ratio` how much of it was reached (1 is all)."""

    name: str
    value: float
    unit: str
    budget: float | None
    ok: bool
    ceiling: float | None
    ratio: float | None


def rate(
    name: str, value: float, *, unit: str, budget: float | None = None, ceiling: float | None = None
) -> Row:
    """A figure that should be large."""
    ratio = value / ceiling if ceiling else None
    return _row(name, value, unit, budget, budget is None or value >= budget, ceiling, ratio)


def cost(
    name: str, value: float, *, unit: str, budget: float | None = None, ceiling: float | None = None
) -> Row:
    """A figure that should be small: seconds, megabytes, microseconds."""
    ratio = ceiling / value if ceiling and value else None
    return _row(name, value, unit, budget, budget is None or value <= budget, ceiling, ratio)


def _row(
    name: str,
    value: float,
    unit: str,
    budget: float | None,
    ok: bool,
    ceiling: float | None,
    ratio: float | None,
) -> Row:
    return Row(
        name=name,
        value=_rounded(value),
        unit=unit,
        budget=budget,
        ok=ok,
        ceiling=None if ceiling is None else _rounded(ceiling),
        ratio=None if ratio is None else round(ratio, 3),
    )


def _rounded(value: float) -> float:
    return round(value) if value >= 1000 else round(value, 1 if value >= 10 else 3)
