"""The manifest of an archived month: every file with its rows and its SHA-256, every round with its sums.

It is what an auditor starts from: with it and the files nothing of ours is needed to count again.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from outreach.db.partitions import Column
from outreach.errors import Conflict

FORMAT = 1
NAME = "manifest.json"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A Parquet file of an archive."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table of an archive. `digest`: the sum over all rows of the first 60 bits of the MD5 of the row's
    canonical text (kinds.py), so that it holds whatever the order of rows or files."""

    name: str
    rows: int
    digest: str
    columns: tuple[Column, ...]
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class StepSum:
    """Messages and household-times of one rung in one state."""

    step: int
    state: int
    n: int
    households: int


@dataclass(frozen=True, slots=True)
class RoundEntry:
    """A round of the month, as it was when its rows left."""

    round_id: int
    campaign: str
    name: str
    audience: int
    planned: int
    recipients: int
    households: int
    sums: tuple[StepSum, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about an archived month. `schema_version`: the last migration of the database it left."""

    period: int
    made_at: str
    schema_version: str
    tables: tuple[TableEntry, ...]
    rounds: tuple[RoundEntry, ...]
    format: int = FORMAT

    def table(self, name: str) -> TableEntry:
        """The table of this name."""
        return next(table for table in self.tables if table.name == name)


def write_manifest(manifest: Manifest, folder: Path) -> bytes:
    """Write it beside its files; returns its SHA-256."""
    data = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)
    (folder / NAME).write_bytes(data)
    return hashlib.sha256(data).digest()


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """The manifest of a folder and its SHA-256. Raises Conflict if there is none that can be read."""
    try:
        data = (folder / NAME).read_bytes()
        return _manifest(orjson.loads(data)), hashlib.sha256(data).digest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Conflict(f"归档目录 {folder} 中没有可用的 {NAME}，请核对目录。", folder=str(folder)) from error


def _manifest(found: dict[str, Any]) -> Manifest:
    if found["format"] != FORMAT:
        raise ValueError(found["format"])
    tables = tuple(
        TableEntry(
            table["name"],
            table["rows"],
            table["digest"],
            tuple(Column(**column) for column in table["columns"]),
            tuple(FileEntry(**file) for file in table["files"]),
        )
        for table in found["tables"]
    )
    rounds = tuple(
        RoundEntry(**{**one, "sums": tuple(StepSum(**item) for item in one["sums"])})
        for one in found["rounds"]
    )
    return Manifest(found["period"], found["made_at"], found["schema_version"], tables, rounds)


def entry_of(path: Path, rows: int) -> FileEntry:
    """A finished file as the manifest names it."""
    return FileEntry(path.name, rows, path.stat().st_size, sha256_of(path))


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def check_files(manifest: Manifest, folder: Path) -> None:
    """Every file is there and is the one that was written. Raises Conflict naming the first that is not."""
    for table in manifest.tables:
        for file in table.files:
            path = folder / file.name
            if not path.is_file() or sha256_of(path) != file.sha256:
                raise Conflict(
                    f"归档文件 {path} 缺失或已被改动（SHA-256 不符），请从备份取回后再试。", file=file.name
                )
