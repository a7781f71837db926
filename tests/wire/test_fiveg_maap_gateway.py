"""XML in and out of the China Mobile 5G adapter, and the strictness of its simulator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.cards import ContentError
from channels.fiveg_maap.xml import MOST_BYTES, XmlInvalid, cdata, leaf, read_xml
from channels.gateways.fiveg_maap.reading import NAMESPACE, Refused, read_send

from .fiveg_maap import ACCOUNT, SAMPLES

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ["]]>", "<a>&amp;", "a\r\nb\rc"]
)
BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a>&b;</a>",
        BOMB,
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 40 + b"</a>" * 40,
        b"<a>" + b"<b/>" * 30_000 + b"</a>",
        b"<a>" + b" " * MOST_BYTES + b"</a>",
        b"<a>\xff</a>",
    ],
)
def test_hostile_xml(body: bytes) -> None:
    with pytest.raises(XmlInvalid):
        read_xml(body)


@given(st.binary(max_size=60) | st.text("<>/!&;ab=[]\"' ", max_size=60).map(str.encode))
def test_only_xml_invalid_comes_out(body: bytes) -> None:
    try:
        read_xml(body)
    except XmlInvalid:
        return


@given(ANY_TEXT)
def test_texts_survive_xml(text: str) -> None:
    for write in (leaf, cdata):
        try:
            node = read_xml(f"<r>{write('a', text)}</r>".encode())
        except ContentError:
            continue
        assert node.all("a")[0].text == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ((NAMESPACE.encode(), b"urn:other"), "urn:other"),
        ((b"outboundMessageRequest", b"messageRequest"), "messageRequest"),
        ((b"<senderAddress>", b"<x/><senderAddress>"), "x"),
        ((b"<contributionID>u-1</contributionID>", b""), "contributionID"),
        ((b"sip:106500000@", b"sip:7@"), "senderAddress"),
        ((b"tel:+8613800138001", b"13800138001"), "destinationAddress"),
        ((b"<address>tel:+8613800138000", b"<address>tel:+8613800138009"), "address"),
        ((b"ChatbotSA", b"Chatbot"), "serviceCapability"),
        ((b"smsBodyText>", b"smBodyText>"), "smsBodyText"),
        ((b"<reportRequest>Delivered", b"<reportRequest>Read"), "reportRequest"),
        ((b"text/plain;", b"text/html;"), "contentType"),
        ((b"<messageId>", b'<messageId xmlns="urn:x">'), "qualified"),
        ((b"<msg:out", b"<!DOCTYPE a><msg:out"), "DOCTYPE"),
    ],
)
def test_the_platform_is_strict(change: tuple[bytes, bytes], where: str) -> None:
    body = (SAMPLES / "worked_example.xml").read_bytes().replace(*change)
    with pytest.raises(Refused, match=where):
        read_send(body, ACCOUNT.chatbot_id, "+8613800138000", "smsBodyText")
