"""Benefits of which a household has one and not the other, by family: the one truth for loading records,
scans and gift packs."""

from collections.abc import Set

_ONE_A_YEAR = (
    # 财税〔2009〕69号: rates of the enterprise income tax are not put on each other.
    frozenset({"CIT_SLP", "CIT_HNTE_15", "CIT_WEST_15"}),
    # 国发〔2018〕41号: interest of a first home or rent, not both in one year.
    frozenset({"IIT_SAD_LOAN", "IIT_SAD_RENT"}),
)
# Who is entitled to one of those on the right has no use for the one on the left.
_BETTER = {
    "VAT_SS_3TO1": frozenset({"VAT_SS_EXEMPT"}),
    "CIT_HNTE_15": frozenset({"CIT_SLP", "CIT_WEST_15"}),
}
_NONE: frozenset[str] = frozenset()

FAMILIES_OF_CHOICE: frozenset[str] = frozenset().union(*_ONE_A_YEAR)
"""Families of which some other is an alternative within a year."""


def excluded_by(family: str) -> frozenset[str]:
    """The families that nobody may have in the same year beside this one."""
    return next((group - {family} for group in _ONE_A_YEAR if family in group), _NONE)


def has_another(family: str, reported: Set[str], entitled: Set[str]) -> bool:
    """Whether a family is of no use to a household, by the families of which she has records in the year, and
    those to which she is entitled."""
    better = _BETTER.get(family, _NONE)
    return bool((better | excluded_by(family)) & reported or better & entitled)
