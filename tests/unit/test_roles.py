"""The choice of roles: what may be chosen, how it reads, and the fields of the form."""

import pytest

from campaigns.approval_text import differences
from campaigns.recipes import Recipe, body_of, draft_of, load_recipes
from campaigns.roles import check_roles, role_words
from outreach.errors import InvalidInput
from outreach.registry.fields import ROLES
from outreach.web.console.role_form import role_faults, role_places, roles_of, shown_roles

PAIR = ("legal_representative", "finance_head")


def test_every_role_may_be_chosen_once() -> None:
    check_roles(())
    check_roles(tuple(ROLES))
    for roles, word in ((("cashier",), "cashier"), ((*PAIR, PAIR[0]), "法定代表人选了两次")):
        with pytest.raises(InvalidInput, match=word) as raised:
            check_roles(roles)
        assert raised.value.details["field"] == "contact_roles"


def test_a_choice_reads_in_its_order() -> None:
    assert role_words(()) == "登记的联系人"
    assert role_words(PAIR) == "法定代表人，联系不上时再找财务负责人"
    assert role_words(PAIR[::-1]) == "财务负责人，联系不上时再找法定代表人"


def test_whoever_signs_reads_who_was_told_and_who_would_be_now() -> None:
    (found,) = differences({"name": "提醒"}, {"name": "提醒", "contact_roles": list(PAIR)})
    assert (found.name, found.before) == ("发给谁", "登记的联系人")
    assert found.after == "法定代表人，联系不上时再找财务负责人"


def test_the_form_shows_what_was_stored_and_room_for_one_more() -> None:
    for count in range(len(ROLES) + 1):
        stored = tuple(ROLES)[:count]
        typed = shown_roles(stored)
        assert roles_of(typed) == stored
        assert role_faults(typed) == {}
        places = role_places(typed)
        assert len(places) == min(max(3, count + 1), len(ROLES))
        assert [place["chosen"] for place in places if place["chosen"]] == list(stored)
    assert [places[n]["choices"][0] for n in (0, 1)] == [("", "登记的联系人"), ("", "不再找别人")]


def test_what_is_wrong_in_the_form_is_said_at_its_place() -> None:
    assert "请先选「先发给」" in role_faults(["", "agent", ""])["contact_roles"]
    assert "选了两次" in role_faults(["agent", "", "agent"])["contact_roles"]
    assert "没有身份" in role_faults(["cashier", "", ""])["contact_roles"]


def test_a_recipe_keeps_the_choice_and_those_of_the_product_make_none() -> None:
    for recipe in load_recipes().values():
        assert draft_of(recipe, year=2026, org_id=3, code="x").contact_roles == ()
    recipe = load_recipes()["yearly_bill"]
    chosen = Recipe("c", "n", "s", "年度", {**recipe.body, "contact_roles": list(PAIR)})
    draft = draft_of(chosen, year=2026, org_id=3, code="x")
    assert draft.contact_roles == PAIR
    assert body_of(draft, 2026)["contact_roles"] == list(PAIR)
