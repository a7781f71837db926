"""The page of thanks. Of a complaint without a name its number is all that leads to the answer: a secret, so
it travels in a signed cookie of a few minutes and in no address, which histories and proxies keep."""

import hmac

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from outreach.governance.vault import Vault
from outreach.service.tickets import Opened
from outreach.web.public_pages import Site, go, page

_SECONDS = 600


def thank(site: Site, vault: Vault, path: str, opened: Opened | None) -> RedirectResponse:
    """See the page of thanks, with the number of the ticket if there is one."""
    answer = go(path)
    told = f"{opened.number}.{opened.due_on.isoformat()}" if opened else ""
    answer.set_cookie(
        _name(site),
        f"{told}.{_signature(vault, told)}" if told else "",
        max_age=_SECONDS if told else 0,
        path="/",
        httponly=True,
        samesite="strict",
        secure=site.secure,
    )
    return answer


def show_thanks(request: Request, site: Site, vault: Vault, *, is_known: bool) -> Response:
    """The page of thanks; a number that we have not signed is not shown."""
    told, _, signature = request.cookies.get(_name(site), "").rpartition(".")
    is_ours = hmac.compare_digest(_signature(vault, told).encode(), signature.encode())
    number, _, day = told.partition(".") if is_ours else ("", "", "")
    return page(request, site, "thanks.html", number=number, day=day, is_known=is_known)


def _name(site: Site) -> str:
    return "__Host-thanks" if site.secure else "thanks"


def _signature(vault: Vault, told: str) -> str:
    return vault.keyed_hash("ticket.thanks").digest(told.encode()).hex()
