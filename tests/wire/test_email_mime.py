"""Mails as bytes, replies as faults: pure functions under hostile input."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.base import Outbound, Outcome
from channels.email_smtp.addresses import AddressInvalid, read_mailbox
from channels.email_smtp.mime import Assembler, Sender, encode_text
from channels.email_smtp.parts import MailInvalid
from channels.email_smtp.replies import Reply, Stage, fault_of, settle
from channels.errors import Fault
from channels.gateways.email_smtp.rules import read_mail

from .email_smtp import make_message

NOW = datetime(2026, 3, 15, 9, 0, tzinfo=UTC)

# --- mails as bytes

NAME = '示例市税务局, "第一" 分局'
ASSEMBLER = Assembler(Sender("notice@tax.example.cn", NAME, "tax.example.cn", "l.example", "f:1"))
HOSTILE = st.text(st.characters() | st.sampled_from("\r\n\0\t .=?<>\u2028\x85"), max_size=300)


@settings(max_examples=200, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
@example("a\r\nBcc: victim@example.com\r\n\r\nbody", ".\r\n.\r\nRSET\r\n", "<p>.\n.</p>")
@example("=?utf-8?q?trick?=", "\ud800", "")
@example("税" * 400, "x" * 3000, "y\r" * 1200)
def test_mails_come_back_as_they_went(subject: str, text: str, html: str) -> None:
    message = Outbound(
        "k1", "a@example.com", text, subject=subject, html=html, unsubscribe_url="https://e.cn/u"
    )
    content = ASSEMBLER.write(message, "a@example.com", "k1-token", NOW)
    relayed = read_mail(content, utf8=False)
    assert relayed.key == "k1"
    assert relayed.unsubscribe == "https://e.cn/u"
    assert b"\r\n." not in content
    mail = message_from_bytes(content, policy=policy.default)
    assert not mail.defects
    expected = re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", subject).strip()
    assert str(mail["Subject"]) == expected or is_white(expected)
    assert mail["Bcc"] is None
    assert [address.addr_spec for address in mail["To"].addresses] == ["a@example.com"]
    parts = {part.get_content_type(): part for part in mail.walk() if not part.is_multipart()}
    if text.strip() or not html:
        assert lines(parts["text/plain"].get_content()) == lines(text)
    assert ("text/html" in parts) == bool(html)
    if html:
        assert lines(parts["text/html"].get_content()) == lines(html)


def is_white(text: str) -> bool:
    # The library drops white space of every kind at the edges of encoded words; we do not judge that.
    return any(char.isspace() and char != " " for char in text) or not text.isprintable()


def lines(text: str) -> list[str]:
    plain = text.encode("utf-8", "replace").decode()
    return re.split("\r\n|\r|\n", plain.rstrip("\r\n"))


def test_the_head_of_a_mail() -> None:
    content = ASSEMBLER.write(make_message("k1", "a@b.cn", "正文"), "a@b.cn", "k1-token", NOW)
    mail = message_from_bytes(content, policy=policy.default)
    assert mail["From"].addresses == (Address(NAME, "notice", "tax.example.cn"),)
    assert mail["Message-ID"] == "<k1@tax.example.cn>"
    assert mail["Date"].datetime == NOW
    assert mail["List-Unsubscribe"] == "<https://tax.example.cn/u/k1>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Id"] == "<l.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Feedback-ID"] == "f:1"
    assert max(map(len, content.split(b"\r\n"))) <= 100


def test_a_statutory_notice_offers_no_unsubscription() -> None:
    message = replace(make_message("k1", "a@b.cn", "正文"), unsubscribe_url="", html="")
    content = ASSEMBLER.write(message, "a@b.cn", "k1-token", NOW)
    mail = message_from_bytes(content, policy=policy.default)
    assert {"List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence"}.isdisjoint(mail.keys())
    assert mail.get_content_type() == "text/plain"


@given(st.text(max_size=200))
def test_no_subject_makes_a_second_line_of_its_own(text: str) -> None:
    encoded = encode_text(text)
    assert encoded.isascii()
    assert all(line.startswith(b" ") for line in encoded.split(b"\r\n")[1:])
    assert b"\n" not in encoded.replace(b"\r\n", b"")


def test_keys_of_another_shape_are_refused() -> None:
    with pytest.raises(MailInvalid):
        ASSEMBLER.write(make_message("K-1", "a@b.cn", ""), "a@b.cn", "", NOW)


@given(st.text(max_size=60))
def test_mailboxes_hold_nothing_dangerous(address: str) -> None:
    for candidate in (address, f"{address}@example.com", f"a@{address}.com"):
        try:
            mailbox = read_mailbox(candidate)
        except AddressInvalid:
            continue
        assert not re.search(r"[\s<>\x00-\x20]", mailbox.text)
        assert mailbox.text.count("@") == 1


# --- what replies mean


@pytest.mark.parametrize(
    ("stage", "reply", "fault"),
    [
        ("rcpt", "550 5.1.1 no such user", Fault.INVALID_ADDRESS),
        ("rcpt", "550 5.1.10 null MX", Fault.INVALID_ADDRESS),
        ("rcpt", "550 5.2.1 disabled", Fault.INVALID_ADDRESS),
        ("rcpt", "550 User not found: a", Fault.INVALID_ADDRESS),
        ("rcpt", "550 Mailbox unavailable or access denied", Fault.REJECTED),
        ("rcpt", "554 5.7.1 Relay access denied", Fault.REJECTED),
        ("rcpt", "550 5.7.1 blocked", Fault.REJECTED),
        ("rcpt", "552 5.2.2 mailbox full", Fault.DEFERRED),
        ("rcpt", "450 4.2.1 later", Fault.DEFERRED),
        ("rcpt", "421 4.7.0 slow down", Fault.THROTTLED),
        ("rcpt", "550 Ip frequency limited", Fault.THROTTLED),
        ("rcpt", "553 5.6.7 no UTF-8", Fault.UNSUPPORTED),
        ("mail", "530 5.7.0 log in", Fault.UNAUTHORIZED),
        ("mail", "553 5.7.1 not your address", Fault.MISCONFIGURED),
        ("mail", "552 5.3.4 too big", Fault.REJECTED),
        ("mail", "451 4.3.0 trouble", Fault.DEFERRED),
        ("dot", "554 DT:SPM 163 mx", Fault.REJECTED),
        ("dot", "550 refused", Fault.REJECTED),
        ("dot", "451 DS later", Fault.DEFERRED),
    ],
)
def test_faults_of_replies(stage: str, reply: str, fault: Fault) -> None:
    assert fault_of(Stage(stage), Reply(int(reply[:3]), reply[4:])) is fault


def test_queue_ids() -> None:
    assert settle("k", Reply(250, "2.0.0 Ok: queued as 4F3B2")).ref == "4F3B2"
    assert settle("k", Reply(250, "OK id=1abCde-000123-AB")).ref == "1abCde-000123-AB"
    assert settle("k", Reply(250, "thanks")).outcome is Outcome.ACCEPTED
    assert settle("k", Reply(354, "go")).outcome is Outcome.UNKNOWN
