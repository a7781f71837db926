"""The campaign that tells households of their documents, as the form's first draft."""

from typing import Any

from outreach.statements.kinds import DOCUMENT_KINDS

_LADDER = ("rcs", "sms", "wechat", "email")
_WAIT_HOURS = "48"


def draft_for_documents(empty: dict[str, Any], kind: str, year: int) -> dict[str, Any]:
    """The fields of an empty form, filled for documents of a kind and a year; as they were if there is no
    such kind. The wording stands in `templates/statements`."""
    if kind not in DOCUMENT_KINDS or not 2000 <= year < 3000:
        return empty
    steps = [{"chosen": f"{channel}:statement_{kind}", "wait": _WAIT_HOURS} for channel in _LADDER]
    return {
        **empty,
        "code": f"{kind}-{year}",
        "name": f"{year} {DOCUMENT_KINDS[kind].title}送达",
        "purpose": "告诉纳税人文书已经出具，验证身份后查看",
        "kind": "bill",
        "segment": f"document.{kind} = {year}",
        "legal_basis": "《中华人民共和国税收征收管理法》第八条",
        "exempt_segment": "no_disturb",
        "dispute_segment": "complained",
        "variables": f"tax_year={year}",
        "rounds": [{**empty["rounds"][0], "name": "送达", "steps": steps}],
    }
