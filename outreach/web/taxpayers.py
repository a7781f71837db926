"""What the taxpayers' pages need from the rest of the house, wired for one web process."""

from datetime import datetime
from functools import partial

from channels.base import Attachment
from outreach.db.sql import load_queries
from outreach.ledger.bindings import begin_binding, confirm_binding, take_binding
from outreach.ledger.direct import send_direct
from outreach.ledger.gateways import Fleet
from outreach.ledger.inbound import opt_out_by_token
from outreach.ledger.kinds import KINDS
from outreach.runtime import Runtime
from outreach.service.ratings import keep_rating
from outreach.web.explanations import explain_code, explain_link
from outreach.web.public import PublicDeps
from outreach.web.public_binding import BACK
from outreach.web.public_types import Binding, Mailing, MessageProof, PdfMail, Rating

_SQL = load_queries(__file__)

CODE_TEMPLATE = "one_time_code"
"""The SMS template that carries a one-time code; it comes with the product."""
MAIL_CODE, MAIL_DOCUMENT = "mail_code", "statement_mail"
_CLOSING = "咨询请拨打12366。工作人员不会索要您的银行卡号、密码和验证码。"
LETTERS: dict[str, tuple[str, dict[str, str]]] = {
    MAIL_CODE: (
        "邮箱验证码",
        {
            "subject": "邮箱验证码",
            "text": "您正在请求把账单发送到本邮箱，验证码{{ code }}，10分钟内有效。如非本人操作请忽略。"
            + _CLOSING,
            "html": "",
        },
    ),
    MAIL_DOCUMENT: (
        "账单文件",
        {
            "subject": "您请求发送的文书（{{ number }}）",
            "text": "您在核验身份后请求发送的文书，编号{{ number }}，见附件。仅供参考，以申报数据为准。"
            "校验值{{ digest }}，可在核验页面核对真伪。" + _CLOSING,
            "html": "",
        },
    ),
}
"""The letters that a verified visitor asks for, by code: name and content; they come with the product."""
LETTER_VARIABLES = frozenset({"number", "digest"})


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

    mail = partial(send_direct, rt, fleet, channel="email")

    async def mail_code(person_id: int, code: str) -> bool:
        return await mail(person_id=person_id, template=MAIL_CODE, values={"code": code}, purpose=MAIL_CODE)

    async def mail_document(person_id: int, document: PdfMail) -> bool:
        return await mail(
            person_id=person_id,
            template=MAIL_DOCUMENT,
            values={"number": document.number, "digest": document.digest},
            purpose=MAIL_DOCUMENT,
            attachments=[Attachment(f"{document.number}.pdf", "application/pdf", document.body)],
            only_proved=True,
        )

    async def check_message(code: str) -> MessageProof | None:
        row = await rt.db.fetch_one(_SQL["message_code"], {"code": code})
        return MessageProof(row["bureau"], KINDS[row["kind"]].name, row["started_at"]) if row else None

    async def stop_messages(token: str, how: str) -> None:
        await opt_out_by_token(rt, token, only_topic=how == "topic")

    async def rate(rating: Rating) -> None:
        await keep_rating(rt, rating.taxpayer_id, rating.statement_id, rating.stars)

    binding = Binding(
        partial(begin_binding, rt, fleet, back=f"{rt.settings.base_url}{BACK}"),
        partial(take_binding, rt, fleet),
        partial(confirm_binding, rt),
    )
    return PublicDeps(
        rt,
        send_code,
        check_message,
        partial(explain_code, rt),
        stop_messages,
        rate,
        binding,
        Mailing(mail_code, mail_document),
        partial(explain_link, rt),
    )
