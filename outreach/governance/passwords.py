"""Passwords: argon2id (RFC 9106) and the rule for new ones (ASVS 5.0, 6.2: long, not listed)."""

import asyncio
import functools

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from outreach.errors import InvalidInput

MIN_LENGTH = 12
MIN_LENGTH_ADMINISTRATOR = 15
_MAX_LENGTH = 128
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
_CONTEXT_WORDS = (
    "outreach",
    "shuiwu",
    "shuiju",
    "guoshui",
    "12366",
    "chinatax",
    "password",
    "qwerty",
    "admin",
)
_COMMON = frozenset(
    {
        "123456789012", "1234567890123", "111111111111", "000000000000", "888888888888", "666666666666",
        "abcdefghijkl", "abc123456789", "1q2w3e4r5t6y", "1qaz2wsx3edc", "zaq12wsxcde3", "woaini1314520",
        "5201314520131", "iloveyou1234", "letmein12345", "welcome12345", "changeme1234", "asdfghjkl123",
        "zxcvbnm12345", "112233445566", "123123123123", "121212121212", "a1b2c3d4e5f6", "1a2b3c4d5e6f",
    }
)  # fmt: skip


async def hash_password(password: str) -> str:
    """An argon2id string with its parameters and salt; takes some tens of milliseconds in a thread."""
    return await asyncio.to_thread(_HASHER.hash, password)


async def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password is right. None (no such account) costs the same time and is never right."""
    return await asyncio.to_thread(_verify, stored, password[: _MAX_LENGTH + 1])


def check_new_password(password: str, *, login: str, administrator: bool) -> None:
    """Raises InvalidInput with the reason unless the password may be used."""
    least = MIN_LENGTH_ADMINISTRATOR if administrator else MIN_LENGTH
    if len(password) < least:
        raise InvalidInput(f"密码至少 {least} 个字符；可以用几个词连成一句话。", field="password")
    if len(password) > _MAX_LENGTH:
        raise InvalidInput(f"密码最多 {_MAX_LENGTH} 个字符。", field="password")
    if reason := _weakness(password.lower(), login.lower()):
        raise InvalidInput(f"密码太容易被猜到：{reason}。", field="password")


def _weakness(password: str, login: str) -> str:
    if password in _COMMON:
        return "它在常用密码表里"
    if len(set(password)) < 5:
        return "不同的字符太少"
    if len(login) >= 4 and login in password:
        return "它含有登录名"
    remainder = functools.reduce(lambda text, word: text.replace(word, ""), _CONTEXT_WORDS, password)
    return "去掉常见词以后所剩无几" if len(remainder) < 8 else ""


def _verify(stored: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def _nobody() -> str:
    return _HASHER.hash("nobody has this account")
