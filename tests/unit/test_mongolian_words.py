"""The Mongolian drafts are in their script, belong to texts that exist, and leave no text empty."""

import json
import re

import pytest

from outreach.web.public_pages import FOLDER, Bilingual, words

SCRIPT = re.compile(r"[\u1820-\u1842\u180b-\u180e\u202f \u1802\u1803]+")
"""Letters of Mongolian proper, the three free variation selectors, the vowel separator, the narrow space that
joins a suffix, comma and full stop (Unicode 15, block 1800)."""


def texts(name: str) -> dict[str, str]:
    return json.loads((FOLDER / "words" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("part", ["", "_answers"])
def test_every_draft_is_in_the_script_and_has_its_chinese(part: str) -> None:
    drafts = texts(f"mn{part}")
    assert "草稿" in drafts.pop("_about")
    assert drafts.keys() <= texts(f"zh{part}").keys()
    for key, text in drafts.items():
        assert SCRIPT.fullmatch(re.sub(r"{\w+}", "", text)), key
        assert text == text.strip() and "  " not in text, key


def test_a_page_has_both_and_never_nothing() -> None:
    shown, chinese = words("mn"), words("zh")
    assert shown.keys() == chinese.keys()
    both = [key for key, text in shown.items() if isinstance(text, Bilingual)]
    assert len(both) > 60
    for key, text in shown.items():
        assert text == chinese[key] and text
        assert not isinstance(text, Bilingual) or text.mongol
