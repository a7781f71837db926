"""The fields of the campaign's form that say which of a household's people are told."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import FormData

from campaigns.roles import REGISTERED, check_roles
from outreach.errors import InvalidInput
from outreach.registry.fields import ROLES

PLACES = range(1, len(ROLES) + 1)
_OFFERED = 3
"""Places that the form shows at once; one more than are filled where there are more."""


def typed_roles(form: FormData) -> list[str]:
    """What each place holds, also those left empty."""
    return [str(form.get(f"contact_role-{place}", "")) for place in PLACES]


def shown_roles(roles: Sequence[str]) -> list[str]:
    """A stored choice as the form's places."""
    return [*roles, *[""] * (len(PLACES) - len(roles))]


def roles_of(typed: Sequence[str]) -> tuple[str, ...]:
    """The choice that the places say."""
    return tuple(role for role in typed if role)


def role_faults(typed: Sequence[str]) -> dict[str, str]:
    """What is wrong with it, at its place."""
    if any(typed) and not typed[0]:
        return {"contact_roles": "选了联系不上时再找的身份，请先选「先发给」"}
    try:
        check_roles(roles_of(typed))
    except InvalidInput as error:
        return {"contact_roles": error.message}
    return {}


def role_places(typed: Sequence[str]) -> list[Mapping[str, Any]]:
    """The selections to be shown: their words, what may be chosen, and what is."""
    count = min(max(_OFFERED, len(roles_of(typed)) + 1), len(PLACES))
    return [
        {
            "name": f"contact_role-{place}",
            "label": "先发给" if place == 1 else f"联系不上时再找（第 {place} 位）",
            "choices": [("", REGISTERED if place == 1 else "不再找别人"), *ROLES.items()],
            "chosen": typed[place - 1],
        }
        for place in PLACES[:count]
    ]
