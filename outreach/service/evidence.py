"""Evidence of a confirmation: one record that says who answered what, when, how, and the exact text.

A record is canonical JSON; its SHA-256 stands in the audit chain at the moment of the answer. A package is a
zip of records and their audit events with a manifest that this system signs (Ed25519, RFC 8032);
`check_package` verifies it without a database, so that whoever holds the file and knows the public key can
(电子签名法 articles 5, 8 and 13: complete and unchanged, time and sender known).
"""

import hashlib
import hmac
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from outreach.errors import InvalidInput
from outreach.governance.audit import chain_hash
from outreach.governance.vault import Vault

FORMAT = "outreach-evidence/1"
SIGNED_FORMAT = "outreach-evidence/2"
"""Packages of the first format were not signed."""
MOST_RECORDS = 50_000
"""In one package: what a person can still look through, and what fits into memory."""
_LARGEST_FILE = 256 << 20
_FILES = ("records.jsonl", "audit.jsonl")
_SIGNATURE = "manifest.sig"
_STAMP = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One record with its digest (hex) and the id of the audit event that holds the digest."""

    record: Mapping[str, Any]
    digest: str
    audit_id: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: how many records, and every fault in a sentence.

    `signed_by`: the public key, in hex, whose signature holds; empty for a package without one. A key that
    the package itself brings proves nothing unless it is known from elsewhere.
    """

    records: Sequence[Sealed]
    faults: Sequence[str]
    audit_hashes: Mapping[int, str]
    signed_by: str


def canonical(record: Mapping[str, Any]) -> bytes:
    """The one way in which a record is written: sorted keys, no blanks, UTF-8."""
    return json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest_of(record: Mapping[str, Any]) -> bytes:
    """SHA-256 over the canonical record: 32 bytes."""
    return hashlib.sha256(canonical(record)).digest()


def text_digest(text: str) -> str:
    """SHA-256 of the exact text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def build_package(
    records: Sequence[Sealed],
    events: Sequence[Mapping[str, Any]],
    *,
    by: str,
    at: datetime,
    signer: Ed25519PrivateKey,
) -> bytes:
    """A zip with a signed manifest. `events` are rows of the audit chain with `previous`, the hash before
    them."""
    files = {
        "records.jsonl": _lines(
            {"record": one.record, "digest": one.digest, "audit_id": one.audit_id} for one in records
        ),
        "audit.jsonl": _lines(_plain_event(event) for event in events),
    }
    manifest = {
        "format": SIGNED_FORMAT,
        "made_at": at.isoformat(),
        "made_by": by,
        "algorithm": "Ed25519",
        "public_key": public_key_of(signer),
        "records": len(records),
        "files": {name: hashlib.sha256(body).hexdigest() for name, body in files.items()},
    }
    told = canonical(manifest)
    signed = {"manifest.json": told, _SIGNATURE: signer.sign(told).hex().encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {**signed, **files}.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def public_key_of(signer: Ed25519PrivateKey) -> str:
    """What verifies a signer's signatures: 32 bytes in hex."""
    return signer.public_key().public_bytes_raw().hex()


def evidence_signer(vault: Vault) -> Ed25519PrivateKey:
    """The key with which this system signs packages."""
    return vault.signer("evidence")


def check_package(body: bytes, *, key: str = "") -> Checked:
    """Verify a package on its own, and that the holder of a public key (hex) signed it where one is given.

    Raises InvalidInput for what is no package at all, or no key.
    """
    manifest, files = _open(body)
    signed_by, faults = _signature_of(manifest, files, _plain_key(key) if key else "")
    faults += [
        f"{name} 与清单中的校验值不一致"
        for name in _FILES
        if hashlib.sha256(files[name]).hexdigest() != manifest["files"].get(name)
    ]
    try:
        records = [
            Sealed(row["record"], row["digest"], row["audit_id"]) for row in _rows(files["records.jsonl"])
        ]
        events = {row["id"]: row for row in _rows(files["audit.jsonl"])}
        if len(records) != manifest["records"]:
            faults.append(f"清单写明 {manifest['records']} 条，文件中有 {len(records)} 条")
        for one in records:
            faults.extend(_faults_of(one, events.get(one.audit_id)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput("证据包的内容不完整，无法核对。", field="file") from error
    return Checked(records, faults, {number: event["hash"] for number, event in events.items()}, signed_by)


def _plain_key(key: str) -> str:
    plain = "".join(key.split()).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise InvalidInput("公钥是 64 位十六进制数，见“确认与证据”页面。", field="key")
    return plain


def _signature_of(manifest: Mapping[str, Any], files: Mapping[str, bytes], key: str) -> tuple[str, list[str]]:
    """The key whose signature holds, and what is wrong with the signature."""
    if manifest["format"] != SIGNED_FORMAT:
        return "", ["证据包没有签名，不能证明由谁导出"] if key else []
    own = str(manifest.get("public_key", ""))
    if key and own != key:
        return "", ["证据包不是用这个公钥对应的密钥签名的"]
    try:
        verifier = Ed25519PublicKey.from_public_bytes(bytes.fromhex(own))
        verifier.verify(bytes.fromhex(files[_SIGNATURE].decode()), files["manifest.json"])
    except (InvalidSignature, ValueError, KeyError):
        return "", ["清单的签名无效：清单可能被改动过"]
    return own, []


def _faults_of(one: Sealed, event: Mapping[str, Any] | None) -> list[str]:
    number, found = one.record["id"], []
    if text_digest(one.record["text"]) != one.record["text_sha256"]:
        found.append(f"第 {number} 号：正文与其校验值不一致")
    if not hmac.compare_digest(digest_of(one.record).hex(), one.digest):
        found.append(f"第 {number} 号：记录与其校验值不一致")
    if event is None:
        found.append(f"第 {number} 号：缺少审计事件 {one.audit_id}")
    elif event["detail"]["evidence"].get(str(number)) != one.digest:
        found.append(f"第 {number} 号：审计事件 {one.audit_id} 中的校验值不同")
    elif not _event_holds(event):
        found.append(f"第 {number} 号：审计事件 {one.audit_id} 与审计链不符")
    return found


def _event_holds(event: Mapping[str, Any]) -> bool:
    plain = {**event, "at": datetime.fromisoformat(event["at"])}
    return hmac.compare_digest(chain_hash(bytes.fromhex(event["previous"]), plain).hex(), event["hash"])


def _plain_event(event: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("id", "actor", "action", "object", "detail")
    hashes = {name: bytes(event[name]).hex() for name in ("hash", "previous")}
    return {**{key: event[key] for key in keys}, **hashes, "at": event["at"].isoformat()}


def _open(body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LARGEST_FILE:
                raise InvalidInput("文件太大，不是本系统导出的证据包。", field="file")
            files = {name: archive.read(name) for name in ("manifest.json", *_FILES)}
            if _SIGNATURE in archive.namelist():
                files[_SIGNATURE] = archive.read(_SIGNATURE)
        manifest = json.loads(files["manifest.json"])
        known = manifest["format"] in (FORMAT, SIGNED_FORMAT) and isinstance(manifest["files"], dict)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InvalidInput("这不是本系统导出的证据包。", field="file") from error
    if not known:
        raise InvalidInput("这不是本系统导出的证据包。", field="file")
    return manifest, files


def _lines(rows: Any) -> bytes:
    return b"".join(canonical(row) + b"\n" for row in rows)


def _rows(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines() if line]
