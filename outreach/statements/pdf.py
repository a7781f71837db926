"""Documents as PDF: what the page shows, in the same order, with digest and QR code.

One weight of Noto Sans SC (OFL) is embedded as a subset; text can be searched and copied.
"""

from collections.abc import Callable, Mapping, Sequence

from outreach.statements.content import DIGESTS, digest_of
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.pdf_bill import put_others, put_paid, put_person, put_spared
from outreach.statements.pdf_blocks import (
    Content,
    put_credit,
    put_due,
    put_genuine,
    put_header,
    put_unclaimed,
    put_withdrawn,
)
from outreach.statements.pdf_kinds import put_deferrals, put_findings, put_pack, put_sums, put_treatments
from outreach.statements.pdf_mongolian import open_script
from outreach.statements.pdf_pages import Paper, write_papers
from outreach.statements.pdf_sheet import Sheet

_PARTS: Mapping[str, Sequence[Callable[[Sheet, Content], None]]] = {
    "yearly_bill": (put_person, put_paid, put_spared, put_others, put_unclaimed, put_credit, put_due),
    "benefit_bill": (put_sums, put_deferrals, put_treatments, put_due),
    "gift_pack": (put_pack, put_credit, put_due),
    "checkup": (put_findings, put_unclaimed, put_due),
}


def check_address(base_url: str, digest: str) -> str:
    """Where a printed statement is checked: a digest of 256 bits, no personal data."""
    return f"{base_url}/check?d={digest}"


def render_pdf(
    content: Content, digest: str, base_url: str, *, mongolian: bool = False, large: bool = False
) -> bytes:
    """The PDF of a frozen content; `digest` is its check value in hex (64 digits). `mongolian`: title and
    headings stand in Mongolian beside the Chinese, as far as the translator's texts go. `large`: the same in
    print of 14 points and more."""
    return write_papers([set_paper(content, digest, base_url, mongolian=mongolian, large=large)])


def set_paper(
    content: Content, digest: str, base_url: str, *, mongolian: bool = False, large: bool = False
) -> Paper:
    """A frozen content set on sheets, for a file of its own or a merged one (`pdf_pages.write_papers`)."""
    sheet = Sheet(open_script() if mongolian else None, large=large)
    kind = DOCUMENT_KINDS[content["kind"]]
    title = f"{content['year']} {kind.title}"
    put_header(sheet, content, title)
    for part in (put_withdrawn,) if "withdrawn" in content else _PARTS[kind.name]:
        part(sheet, content)
    put_genuine(sheet, content, digest, check_address(base_url, digest))
    issue = content["issue"]
    footer = (
        f"{issue['number']} 第 {issue['version']} 版    {DIGESTS[digest_of(content)]} {digest[:16]}…"
        "    仅供参考，以申报数据为准"
    )
    return Paper(sheet, title, content["payer"]["authority"], footer)
