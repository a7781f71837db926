"""Bounces and complaints as mail servers write them, and as somebody might forge them."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import WebhookRequest
from channels.email_smtp import EmailSmtp
from channels.email_smtp.addresses import ReturnPath
from channels.email_smtp.reports import read_report
from channels.errors import WebhookRejected

from .email_smtp import SAMPLES, SECRET, make_config


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.eml")), ids=lambda path: path.stem)
def test_samples(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    parsed = read_report(path.read_bytes(), ReturnPath("bounce.tax.example.cn", SECRET))
    receipts = [[r.state, r.key, r.address, r.code] for r in parsed.receipts]
    inbound = [[i.kind, i.key, i.address, i.text] for i in parsed.inbound]
    assert {"receipts": receipts, "inbound": inbound} == expected


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.eml")), ids=lambda path: path.stem)
def test_nobody_reports_for_keys_that_are_not_theirs(path: Path) -> None:
    parsed = read_report(path.read_bytes(), ReturnPath("bounce.tax.example.cn", "another-secret-0123456789"))
    assert not parsed.receipts
    assert not parsed.inbound


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SAMPLES.glob("*.eml"))), st.data())
def test_no_mutilated_report_breaks_the_reader(path: Path, data: st.DataObject) -> None:
    body = path.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        end = start + data.draw(st.integers(0, 60))
        body = body[:start] + data.draw(st.binary(max_size=12)) + body[end:]
    try:
        read_report(body, ReturnPath("bounce.tax.example.cn", SECRET))
    except WebhookRejected:
        return


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n" * 1000,
        b"Content-Type: message/rfc822\r\n\r\n" * 3000,
        b'Content-Type: multipart/mixed; boundary="a"\r\n\r\n' + b"--a\r\n\r\n" * 20_000,
        b"Content-Type: multipart/report; boundary=\r\n\r\n--\r\n",
        b"From: postmaster\r\nContent-Type: text/plain; charset=rot13\r\n\r\n550 x",
        b"Content-Type: text/plain; charset*=x'\xff\r\n\r\n",
        b"a: b\r\n" + b"x" * 3_000_000,
    ],
    ids=["empty", "blank", "nested", "parts", "edgeless", "charset", "rfc2231", "huge"],
)
def test_hostile_reports(body: bytes) -> None:
    adapter = EmailSmtp(make_config("127.0.0.1:25"))
    try:
        parsed = adapter.parse(WebhookRequest("POST", f"/h/{SECRET}", {}, {}, body))
    except WebhookRejected:
        return
    assert not parsed.receipts
    assert not parsed.inbound


def test_the_secret_stands_last_in_the_path() -> None:
    adapter = EmailSmtp(make_config("127.0.0.1:25"))
    adapter.verify(WebhookRequest("POST", f"/hooks/7/{SECRET}", {}, {}, b""))
    for path in ("/hooks/7/", f"/hooks/{SECRET}/7", f"/hooks/7/{SECRET}x", "/hooks/7/密"):
        with pytest.raises(WebhookRejected):
            adapter.verify(WebhookRequest("POST", path, {}, {}, b""))


@given(st.from_regex(r"[0-9a-z]{1,16}", fullmatch=True))
def test_return_paths_are_ours_alone(key: str) -> None:
    ours = ReturnPath("bounce.tax.example.cn", SECRET)
    address = ours.address(ours.token(key))
    assert len(address.partition("@")[0]) <= 64
    assert ours.find(f"To: <{address.upper()}>") == key
    last = "a" if address.partition("@")[0][-1] != "a" else "b"
    forged = address.partition("@")[0][:-1] + last + "@bounce.tax.example.cn"
    assert ours.find(forged) == ""
