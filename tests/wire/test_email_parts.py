"""Pictures, attachments and signatures, judged by others: the library's parser, aiosmtpd, dkimpy."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import Attachment, Outbound, Outcome
from channels.email_smtp import EmailSmtp
from channels.email_smtp.mime import Assembler, Sender
from channels.email_smtp.parts import MOST_ATTACHMENTS, MOST_BYTES, MailInvalid
from channels.email_smtp.plain import words_of
from channels.gateways.email_smtp.rules import read_mail

from .conformance import message_key
from .email_smtp import make_config, make_message
from .test_email_aiosmtpd import Mailbox, serving

NOW = datetime(2026, 3, 15, 9, 0, tzinfo=UTC)
ASSEMBLER = Assembler(Sender("notice@tax.example.cn", "示例市税务局", "tax.example.cn", "l.example", ""))
PDF = Attachment("2025年度账单（示例商贸有限公司）.pdf", "application/pdf", b"%PDF-1.7\r\n.\r\n" * 300)
PICTURE = Attachment("mark.png", "image/png", bytes(range(256)) * 4, "mark")
LETTER = replace(
    make_message("k1", "a@example.com", "正文"),
    html='<p>正文</p><img src="cid:mark" alt="标志">',
    attachments=(PICTURE, PDF),
)


def written(message: Outbound) -> EmailMessage:
    content = ASSEMBLER.write(message, message.address, "k1-token", NOW)
    read_mail(content, utf8=False)
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not any(part.defects for part in mail.walk())
    return mail


def test_pictures_stand_in_the_html_and_files_behind_it() -> None:
    mail = written(LETTER)
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    [picture] = [part for part in mail.walk() if part["Content-ID"]]
    assert (picture["Content-ID"], picture.get_content()) == ("<mark>", PICTURE.content)
    assert picture.get_content_disposition() == "inline"
    [file] = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == (PDF.name, PDF.content)
    body = mail.get_body(("plain",))
    assert body is not None and body.get_content().strip() == "正文"


@settings(max_examples=100, deadline=None)
@example(" ", b"")
@given(st.text(min_size=1, max_size=140), st.binary(max_size=300))
def test_any_name_comes_back_or_is_refused(name: str, content: bytes) -> None:
    message = replace(LETTER, attachments=(Attachment(name, "application/pdf", content),))
    try:
        [file] = written(message).iter_attachments()
    except MailInvalid as error:
        assert error.field == "attachments"
        return
    told = file.get_filename()
    assert told == name or (told and told.strip() == name.strip())
    assert file.get_content() == content


@pytest.mark.parametrize(
    "attachments",
    [
        (PDF,) * (MOST_ATTACHMENTS + 1),
        (replace(PDF, content=bytes(MOST_BYTES + 1)),),
        (PICTURE, PICTURE),
        (replace(PICTURE, inline_id="a> b"),),
        (replace(PDF, kind="application/pdf\r\nBcc: x@example.com"),),
        (replace(PDF, name="a/../b.pdf"),),
        (replace(PDF, name=""),),
    ],
    ids=["too many", "too big", "one id twice", "bad id", "bad kind", "path", "no name"],
)
async def test_what_is_no_attachment_is_refused_before_anything_leaves(
    attachments: tuple[Attachment, ...],
) -> None:
    handler = Mailbox()
    async with serving(handler) as where:
        adapter = EmailSmtp(make_config(where))
        [result] = await adapter.send([replace(LETTER, key=message_key(0), attachments=attachments)])
        await adapter.close()
    assert (result.outcome, result.code) == (Outcome.REFUSED, "attachments")
    assert not handler.envelopes


def test_a_mail_without_plain_text_gets_the_words_of_its_html() -> None:
    html = (
        "<html><head><title>x</title><style>p{}</style></head><body><h1>提醒</h1>"
        '<p>请于 6&nbsp;月前<br>办理，<a href="https://tax.example.cn/a">看这里</a>。</p></body></html>'
    )
    assert words_of(html) == "提醒\n\n请于 6 月前\n办理，看这里（https://tax.example.cn/a）。"
    body = written(replace(LETTER, text=" ", html=html)).get_body(("plain",))
    assert body is not None and body.get_content().startswith("提醒")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters() | st.sampled_from("<>/&;!-= \"'pabr"), max_size=300))
def test_words_come_from_any_html(html: str) -> None:
    assert isinstance(words_of(html), str)


# --- signatures

Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KEYS: dict[str, Key] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: Key | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def zone(kind: str) -> Callable[..., bytes]:
    """The domain's DNS: where the selector's public key stands, and nothing else."""
    public = KEYS[kind].public_key()
    if isinstance(public, rsa.RSAPublicKey):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        octets = public.public_bytes(serialization.Encoding.DER, form)
    else:
        octets = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    record = f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode()}".encode()

    def ask(name: bytes, **_: object) -> bytes:
        return record if name == b"s1._domainkey.tax.example.cn." else b""

    return ask


async def received(kind: str, message: Outbound) -> bytes:
    handler = Mailbox(pipelining=True)
    async with serving(handler) as where:
        signing = {"dkim_selector": "s1", "dkim_private_key": pem(KEYS[kind])}
        adapter = EmailSmtp(make_config(where, **signing))
        [result] = await adapter.send([message])
        await adapter.close()
    assert result.outcome is Outcome.ACCEPTED
    content = handler.envelopes[0].content
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize("kind", KEYS)
async def test_a_signature_is_good_to_somebody_elses_eyes(kind: str) -> None:
    message = replace(
        LETTER, key=message_key(0), text="末尾有空行  \n\n.\n\n", subject="关于汇算清缴的提醒" * 9
    )
    content = await received(kind, message)
    assert dkim.verify(content, dnsfunc=zone(kind), minkey=2048)
    signature = message_from_bytes(content, policy=policy.default)["DKIM-Signature"]
    signed = "".join(str(signature).split()).partition(";h=")[2].partition(";")[0].split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post", "from", "subject", "content-type"} <= set(signed)
    # What a relay may do on the way is forgiven; what somebody changes is not.
    assert dkim.verify(content.replace(b"Subject: ", b"subject:  ", 1), dnsfunc=zone(kind))
    for old, new in (
        (b"notice@tax", b"notize@tax"),
        (b"Date: ", b"From: x@example.com\r\nDate: "),
        (b"List-Unsubscribe-Post: ", b"X-Was: "),
        (base64.b64encode(PICTURE.content)[:60], base64.b64encode(bytes(45))),
    ):
        assert old in content
        assert not dkim.verify(content.replace(old, new, 1), dnsfunc=zone(kind)), old


async def test_a_statutory_notice_is_signed_as_well() -> None:
    bare = Outbound(message_key(1), "a@example.com", "正文", subject="通知")
    assert dkim.verify(await received("rsa", bare), dnsfunc=zone("rsa"))


@pytest.mark.parametrize(
    ("selector", "key"),
    [
        ("s1", ""),
        ("", "x"),
        ("s1", "not a key"),
        ("s1", pem(rsa.generate_private_key(65537, 1024))),
        ("s1", pem(ec.generate_private_key(ec.SECP256R1()))),
        ("s 1", pem(KEYS["ed25519"])),
    ],
    ids=["no key", "no selector", "no PEM", "short", "other curve", "bad selector"],
)
def test_keys_that_cannot_sign_are_refused_in_the_form(selector: str, key: str) -> None:
    with pytest.raises(ValidationError):
        make_config("127.0.0.1:25", dkim_selector=selector, dkim_private_key=key)
