"""A document by e-mail: after the identity check, to the proved address on file, the file of the page."""

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from outreach.governance.vault import open_vault
from outreach.ledger.gateways import Fleet, GatewayDraft, save_gateway
from outreach.runtime import Runtime
from outreach.setup import ensure_templates
from outreach.statements.mailing import MAILS_A_DAY, MOST_TRIES
from outreach.web.public import PublicDeps, make_public_router
from outreach.web.taxpayers import taxpayer_deps
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import COMPANY, events, other_than
from tests.wire.test_email_aiosmtpd import Mailbox, serving

ADDRESS = "finance@example.com"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    yield Mailbox()


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path, mailbox: Mailbox) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made, serving(mailbox) as where:
        host, _, port = where.partition(":")
        fleet = Fleet(rt)
        await wire_mail(rt, host, int(port))
        await put_address(rt, ADDRESS)
        made.app.router.routes.clear()
        deps = PublicDeps(
            rt, made.send_code, made.check, made.explain, made.stop, made.rate,
            mailing=taxpayer_deps(rt, fleet).mailing,
        )  # fmt: skip
        made.app.include_router(make_public_router(deps))
        yield made
        await fleet.close()


async def wire_mail(rt: Runtime, host: str, port: int) -> None:
    config = {
        "host": host, "port": port, "tls": "none", "from_address": "tax@example.gov.cn",
        "envelope_domain": "bounce.example.gov.cn", "callback_secret": "s" * 32,
    }  # fmt: skip
    async with rt.db.begin() as conn:
        await save_gateway(conn, rt.settings, GatewayDraft("邮件", "email_smtp", config, 100, 100))
    await ensure_templates(rt, 1)


async def put_address(rt: Runtime, address: str, dest: int = 7) -> None:
    sealed = open_vault(rt.settings).encrypt("address", "value_enc", 900, address)
    await rt.db.execute(
        "insert into address (id, person_id, kind, value_enc, bidx, dest)"
        " values (900, %(person)s, 'email', %(sealed)s, '', %(dest)s) on conflict (id) do update"
        " set value_enc = excluded.value_enc, dest = excluded.dest, verified_at = null",
        {"person": COMPANY.id, "sealed": sealed, "dest": dest},
    )


def mailed_code(mailbox: Mailbox) -> str:
    body = mailbox.mails()[ADDRESS].get_body(("plain",))
    assert body is not None
    found = re.search(r"验证码(\d{6})", body.get_content())
    assert found
    return found[1]


async def prove(site: Site, mailbox: Mailbox) -> None:
    assert (await site.http.post("/statement/mail/code")).headers["location"].endswith("step=code")
    answer = await site.http.post("/statement/mail/verify", data={"code": mailed_code(mailbox)})
    assert answer.headers["location"] == "/statement/mail?n=0"


@pytest.mark.parametrize("language", ["zh", "mn"])
async def test_the_file_in_the_mail_is_the_file_of_the_page(
    site: Site, mailbox: Mailbox, language: str
) -> None:
    await site.open()
    await site.http.get(f"/statement?lang={language}")
    assert "发送到我的邮箱" in (await site.http.get("/statement")).text
    page = (await site.http.get("/statement/mail")).text
    assert "f***@example.com" in page and ADDRESS not in page and "向邮箱发送验证码" in page
    await prove(site, mailbox)
    assert "发送 PDF" in (await site.http.get("/statement/mail")).text
    answer = await site.http.post("/statement/mail")
    assert "已发送到 f***@example.com" in (await site.http.get(answer.headers["location"])).text
    mail = mailbox.mails()[ADDRESS]
    [file] = mail.iter_attachments()
    sent = file.get_payload(decode=True)
    assert isinstance(sent, bytes) and sent.startswith(b"%PDF-1.7")
    shown = (await site.http.get("/statement.pdf")).content
    assert sha256(sent).digest() == sha256(shown).digest()
    body = mail.get_body(("plain",))
    assert body is not None
    (row,) = await site.rt.db.fetch(
        "select encode(content_hash, 'hex') as digest from statement where taxpayer_id = %s order by id desc"
        " limit 1",
        (COMPANY.id,),
    )
    assert row["digest"] in body.get_content().replace("\n", "")
    assert COMPANY.name not in str(mail["Subject"]) and COMPANY.name not in body.get_content()
    assert "mailed" in await events(site.rt)
    kept = await site.rt.db.fetch("select purpose from direct_message order by id")
    assert [item["purpose"] for item in kept] == ["mail_code", "statement_mail"]
    audited = await site.rt.db.fetch("select action from audit_event where action = 'statement.mail'")
    assert len(audited) == 1


async def test_nothing_leaves_before_the_checks(site: Site, mailbox: Mailbox) -> None:
    for path in ("/statement/mail", "/statement/mail/code", "/statement/mail/verify"):
        assert (await site.http.post(path)).status_code == 401
    assert (await site.http.get("/statement/mail")).status_code == 401
    await site.open()
    assert (await site.http.post("/statement/mail")).status_code == 429, "the address is not proved"
    foreign = await site.http.post("/statement/mail/code", headers={"Origin": "https://evil.example.com"})
    assert foreign.status_code >= 400
    assert mailbox.envelopes == []


async def test_codes_and_mails_are_limited(site: Site, mailbox: Mailbox) -> None:
    await site.open()
    await site.http.post("/statement/mail/code")
    code = mailed_code(mailbox)
    for _ in range(MOST_TRIES):
        answer = await site.http.post("/statement/mail/verify", data={"code": other_than(code)})
        assert answer.headers["location"].endswith("step=again")
    answer = await site.http.post("/statement/mail/verify", data={"code": code})
    assert answer.headers["location"].endswith("step=again"), "five wrong entries stop the day"
    await site.rt.db.execute("update statement_mailbox set day = day - 1")
    await prove(site, mailbox)
    answers = [(await site.http.post("/statement/mail")).status_code for _ in range(MAILS_A_DAY + 1)]
    assert answers == [303] * MAILS_A_DAY + [429]


async def test_a_new_address_is_proved_anew(site: Site, mailbox: Mailbox) -> None:
    await site.open()
    await site.http.post("/statement/mail/code")
    code = mailed_code(mailbox)
    await put_address(site.rt, "other@example.com", dest=8)
    answer = await site.http.post("/statement/mail/verify", data={"code": code})
    assert answer.headers["location"].endswith("step=again"), "the code went to the old address"
    assert (await site.http.post("/statement/mail")).status_code == 429


async def test_without_an_address_the_file_is_offered(site: Site) -> None:
    await site.rt.db.execute("delete from address")
    await site.open()
    page = (await site.http.get("/statement/mail")).text
    assert "没有登记" in page and "/statement.pdf" in page
