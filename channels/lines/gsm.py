"""The default alphabet of phones, one septet in an octet: 3GPP TS 23.038 section 6.2.1."""

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
_EXTENDED = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_CODES = {character: bytes([code]) for code, character in enumerate(_BASIC) if code != _ESCAPE} | {
    character: bytes([_ESCAPE, code]) for character, code in _EXTENDED.items()
}
_ESCAPED = {code: character for character, code in _EXTENDED.items()}


def encode_gsm(text: str) -> list[bytes] | None:
    """One or two octets for each character; None if one is not in the alphabet."""
    try:
        return [_CODES[character] for character in text]
    except KeyError:
        return None


def decode_gsm(content: bytes) -> str:
    """Septets to text; what stands for nothing becomes U+FFFD, as the standard's blank would hide it."""
    text, place = [], 0
    while place < len(content):
        code = content[place]
        if code == _ESCAPE and place + 1 < len(content):
            place += 1
            text.append(_ESCAPED.get(content[place], "\ufffd"))
        elif code < len(_BASIC) and code != _ESCAPE:
            text.append(_BASIC[code])
        else:
            text.append("\ufffd")
        place += 1
    return "".join(text)
