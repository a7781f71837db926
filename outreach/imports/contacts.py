"""Addresses of persons: mobile numbers, e-mail, openid, accounts of WeCom and DingTalk.

Mobile prefixes of mainland China as allotted by the Ministry of Industry and Information Technology, with
the virtual operators' 162, 165, 167, 170, 171 and without the Internet-of-things ranges.
"""

import re
from collections.abc import Sequence

import numpy as np

from outreach.imports.numbers import CHARACTERS, EMPTY, FINE, Faults, code_points, lengths

MOBILE_PREFIXES = frozenset(
    (
        *range(130, 140),
        145, 146, 147, 148, 149,
        150, 151, 152, 153, 155, 156, 157, 158, 159,
        162, 165, 166, 167,
        170, 171, 172, 173, 174, 175, 176, 177, 178,
        *range(180, 190),
        *range(190, 200),
    )
)  # fmt: skip
"""The first three digits."""

REASONS = {
    EMPTY: "为空",
    CHARACTERS: "含有数字以外的字符",
    10: "位数不对，应为11位",
    11: "号段不存在",
    12: "邮箱格式不对",
    13: "openid格式不对",
    14: "账号格式不对，应为1至64位字母、数字或_.@-，以字母或数字开头",
}
MOBILE_LENGTH, MOBILE_PREFIX, EMAIL_FORMAT, OPENID_FORMAT, USERID_FORMAT = 10, 11, 12, 13, 14

_IS_PREFIX = np.isin(np.arange(1000), list(MOBILE_PREFIXES))
_COUNTRY = re.compile(r"^(?:\+|00)?86(?=1\d{10}$)")
_SEPARATORS = str.maketrans("", "", " -\u2010\u2011\u2013\u2014()\t\u00a0\u3000")
_EMAIL = re.compile(
    r"^(?!\.)(?!.*\.\.)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}(?<!\.)"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}$"
)
_OPENID = re.compile(r"^[A-Za-z0-9_-]{20,64}$")
_USERID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


def normal_mobile(text: str) -> str:
    """Digits only, without separators and without +86, 86 or 0086."""
    return _COUNTRY.sub("", text.translate(_SEPARATORS))


def check_mobiles(numbers: Sequence[str]) -> Faults:
    """Mainland mobile numbers of eleven digits, already normalised."""
    size = lengths(numbers)
    points = code_points(numbers, 11)
    faults = np.where(size == 11, FINE, np.where(size == 0, EMPTY, MOBILE_LENGTH)).astype(np.uint8)
    digits = points - ord("0")
    strange = ((digits < 0) | (digits > 9)) & (points != 0)
    faults[(size > 0) & strange.any(axis=1)] = CHARACTERS
    prefix = np.clip(digits[:, :3] @ [100, 10, 1], 0, 999)
    faults[(faults == FINE) & ~_IS_PREFIX[prefix]] = MOBILE_PREFIX
    return faults


def check_emails(texts: Sequence[str]) -> Faults:
    """The addresses that mail servers take in practice (RFC 5321 without quoted local parts), ≤ 254 long."""
    return np.array(
        [
            EMPTY if not text else FINE if len(text) <= 254 and _EMAIL.match(text) else EMAIL_FORMAT
            for text in texts
        ],
        dtype=np.uint8,
    )


def check_openids(texts: Sequence[str]) -> Faults:
    """WeChat's identifier of a follower: 28 characters today, of letters, digits, `-` and `_`."""
    return np.array(
        [EMPTY if not text else FINE if _OPENID.match(text) else OPENID_FORMAT for text in texts],
        dtype=np.uint8,
    )


def check_userids(texts: Sequence[str]) -> Faults:
    """An account within an organisation, as WeCom and DingTalk name their members."""
    return np.array(
        [EMPTY if not text else FINE if _USERID.fullmatch(text) else USERID_FORMAT for text in texts],
        dtype=np.uint8,
    )
