"""Codes, references and texts of providers in the form in which PostgreSQL can keep them.

What comes over the wire is not ours to trust: a NUL or half a surrogate pair in one answer would make the
database refuse the whole set that it stands in.
"""

_CODE_LENGTH = 64
_REF_LENGTH = 200


def fit_text(text: str, length: int) -> str:
    """At most `length` characters that UTF-8 and PostgreSQL can hold."""
    return text[:length].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def fit_code(code: str) -> str | None:
    """A provider's code, or None for none."""
    return fit_text(code, _CODE_LENGTH) or None


def fit_ref(ref: str) -> str | None:
    """A provider's reference, or None for none."""
    return fit_text(ref, _REF_LENGTH) or None
