"""What the taxpayers' pages need from the rest of the house, wired for one web process."""

from datetime import datetime
from functools import partial

from outreach.db.sql import load_queries
from outreach.ledger.bindings import begin_binding, confirm_binding, take_binding
from outreach.ledger.direct import send_direct
from outreach.ledger.gateways import Fleet
from outreach.ledger.inbound import opt_out_by_token
from outreach.ledger.kinds import KINDS
from outreach.runtime import Runtime
from outreach.service.ratings import keep_rating
from outreach.web.public import PublicDeps
from outreach.web.public_binding import BACK
from outreach.web.public_types import Binding, Explanation, MessageProof, Rating

_SQL = load_queries(__file__)

CODE_TEMPLATE = "one_time_code"
"""The SMS template that carries a one-time code; it comes with the product."""


def taxpayer_deps(rt: Runtime, fleet: Fleet) -> PublicDeps:
    """The callables of the public pages on this runtime."""

    async def send_code(person_id: int, code: str, expires_at: datetime) -> None:
        await send_direct(
            rt,
            fleet,
            person_id=person_id,
            channel="sms",
            template=CODE_TEMPLATE,
            values={"code": code},
            purpose="statement_code",
        )

    async def check_message(code: str) -> MessageProof | None:
        row = await rt.db.fetch_one(_SQL["message_code"], {"code": code})
        return MessageProof(row["bureau"], KINDS[row["kind"]].name, row["started_at"]) if row else None

    async def explain_message(code: str) -> Explanation | None:
        row = await rt.db.fetch_one(_SQL["message_code"], {"code": code})
        if row is None:
            return None
        reason = f"您或您负责的户符合“{row['name']}”的提醒条件，且当时尚未办结。"
        return Explanation(row["bureau"], row["purpose"], row["legal_basis"], reason, row["started_at"])

    async def stop_messages(token: str, _how: str) -> None:
        await opt_out_by_token(rt, token)

    async def rate(rating: Rating) -> None:
        await keep_rating(rt, rating.taxpayer_id, rating.statement_id, rating.stars)

    binding = Binding(
        partial(begin_binding, rt, fleet, back=f"{rt.settings.base_url}{BACK}"),
        partial(take_binding, rt, fleet),
        partial(confirm_binding, rt),
    )
    return PublicDeps(rt, send_code, check_message, explain_message, stop_messages, rate, binding)
