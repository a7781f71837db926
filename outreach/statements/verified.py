"""What documents may tell of doubts (疑点信息须先核实): a finding that nobody has verified, or that was
found not to hold, is not told; one that somebody has confirmed is, also where no record names the benefit."""

from collections.abc import Iterator
from decimal import Decimal

from outreach.statements.benefits import Line
from outreach.statements.household import FindingFact, Household
from outreach.statements.rules import catalogue


def verified(lines: list[Line], home: Household) -> list[Line]:
    """What the household may still claim, by its records and by what was verified of it."""
    untold = untold_codes(home)
    kept = [line for line in lines if line.rule.code not in untold]
    reported = {line.rule.code for line in kept}
    told = (
        finding
        for finding in home.findings
        if finding.direction == "unclaimed" and finding.confirmed and finding.code not in reported
    )
    return kept + [line for finding in told for line in _lines(finding)]


def untold_codes(home: Household) -> set[str]:
    """Codes of which it is in doubt whether she may claim them, or was found that she may not."""
    return {one.code for one in home.findings if one.direction == "unclaimed" and not one.confirmed}


def unpriced(home: Household) -> list[str]:
    """Codes that she was confirmed to be entitled to without anybody knowing how much it is."""
    return [
        finding.code
        for finding in home.findings
        if finding.direction == "unclaimed"
        and finding.confirmed
        and all(entry["amount"] is None for entry in finding.entries)
    ]


def confirmed_codes(home: Household, direction: str) -> list[str]:
    """Codes with a confirmed finding in a direction."""
    return [one.code for one in home.findings if one.direction == direction and one.confirmed]


def _lines(finding: FindingFact) -> Iterator[Line]:
    """As the evidence has it: what was confirmed is told, not what would be computed by now."""
    rule = catalogue()[finding.code]
    for entry in finding.entries:
        if entry["amount"] is not None:
            yield Line(rule, entry["month"], Decimal(entry["amount"]), entry["formula"], {})
