"""Evidence of a confirmation: one record that says who answered what, when, how, and the exact text.

A record is canonical JSON; its SHA-256 stands in the audit chain at the moment of the answer. A package is a
zip of records and their audit events with a manifest; `check_package` verifies it without a database, so that
whoever holds the file can (电子签名法 articles 5 and 8: complete and unchanged, time and sender known).
"""

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.errors import InvalidInput
from outreach.governance.audit import chain_hash

FORMAT = "outreach-evidence/1"
MOST_RECORDS = 50_000
"""In one package: what a person can still look through, and what fits into memory."""
_LARGEST_FILE = 256 << 20
_FILES = ("records.jsonl", "audit.jsonl")
_STAMP = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One record with its digest (hex) and the id of the audit event that holds the digest."""

    record: Mapping[str, Any]
    digest: str
    audit_id: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: how many records, and every fault in a sentence; no fault means genuine."""

    records: Sequence[Sealed]
    faults: Sequence[str]
    audit_hashes: Mapping[int, str]


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
    records: Sequence[Sealed], events: Sequence[Mapping[str, Any]], *, by: str, at: datetime
) -> bytes:
    """A zip with a manifest. `events` are rows of the audit chain with `previous`, the hash before them."""
    files = {
        "records.jsonl": _lines(
            {"record": one.record, "digest": one.digest, "audit_id": one.audit_id} for one in records
        ),
        "audit.jsonl": _lines(_plain_event(event) for event in events),
    }
    manifest = {
        "format": FORMAT,
        "made_at": at.isoformat(),
        "made_by": by,
        "records": len(records),
        "files": {name: hashlib.sha256(body).hexdigest() for name, body in files.items()},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {"manifest.json": canonical(manifest), **files}.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def check_package(body: bytes) -> Checked:
    """Verify a package on its own. Raises InvalidInput for what is no package at all."""
    manifest, files = _open(body)
    faults = [
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
    return Checked(records, faults, {key: event["hash"] for key, event in events.items()})


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
        manifest = json.loads(files["manifest.json"])
        known = manifest["format"] == FORMAT and isinstance(manifest["files"], dict)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InvalidInput("这不是本系统导出的证据包。", field="file") from error
    if not known:
        raise InvalidInput("这不是本系统导出的证据包。", field="file")
    return manifest, files


def _lines(rows: Any) -> bytes:
    return b"".join(canonical(row) + b"\n" for row in rows)


def _rows(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines() if line]
