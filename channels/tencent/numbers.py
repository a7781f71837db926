"""Mobile numbers as Tencent writes them. Source: protocol sheet `tencent_sms`, SendSms."""

import re

_COUNTRY = re.compile(r"(?:\+86|0086|86)(?=1\d{10}\Z)", re.ASCII)
_MOBILE = re.compile(r"1\d{10}", re.ASCII)


def local_number(number: str) -> str:
    """A mainland number without +86, 0086 or 86, so that the same phone is written in one way."""
    return _COUNTRY.sub("", number.strip())


def is_domestic(number: str) -> bool:
    """Whether it is meant as a mainland number: one request holds mainland or foreign numbers only."""
    return not local_number(number).startswith("+")


def is_mobile(number: str) -> bool:
    """Whether it has the form of a mainland mobile number."""
    return _MOBILE.fullmatch(local_number(number)) is not None


def full_number(number: str) -> str:
    """With its country code (E.164); a number that brings none is a mainland one."""
    local = local_number(number)
    return f"+86{local}" if is_domestic(number) else local
