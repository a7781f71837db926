"""Files that staff or machines hand in: kept under `var/imports`, imported beside the requests."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile

from outreach.errors import InvalidInput, OutreachError
from outreach.governance.actor import Actor
from outreach.importing import KINDS, import_file
from outreach.logs import get_log
from outreach.runtime import Runtime

_SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx", ".xls", ".xlsm", ".et", ".ods")
_CHUNK = 1024 * 1024


class Uploads:
    """The imports that this process runs; one at a time for each kind is seen to by the import itself."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: dict[str, str] = {}

    async def take(self, actor: Actor, kind: str, file: Any) -> str:
        """Keep an uploaded file and begin to import it; returns a ticket by which a failure before the
        first row is told. Raises InvalidInput for an unknown kind or a file that is no table."""
        if kind not in KINDS:
            raise InvalidInput("请选择要导入的内容。", field="kind")
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidInput("请选择一个文件。", field="file")
        suffix = Path(file.filename).suffix.lower()
        if suffix not in _SUFFIXES:
            raise InvalidInput("只能导入 CSV、TXT 或 Excel 文件。", field="file")
        ticket = secrets.token_hex(8)
        path = await self._keep(file, ticket, suffix)
        task = asyncio.create_task(self._run(actor, kind, path, Path(file.filename).name[:120], ticket))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return ticket

    async def close(self) -> None:
        """Wait for what runs; an import that is cut off is repeated without harm."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, file: UploadFile, ticket: str, suffix: str) -> Path:
        folder = self._rt.settings.var / "imports"
        path = folder / f"upload-{ticket}{suffix}"
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        with path.open("xb") as target:
            while chunk := await file.read(_CHUNK):
                await asyncio.to_thread(target.write, chunk)
        return path

    async def _run(self, actor: Actor, kind: str, path: Path, name: str, ticket: str) -> None:
        try:
            await import_file(self._rt, kind, path, by=actor.name, name=name, scope_org_id=actor.org_id)
        except OutreachError as error:
            self.failures[ticket] = error.message
            get_log().warning("import.refused", kind=kind, code=error.code)
        except Exception as error:
            self.failures[ticket] = "文件没有读完，请检查格式后重试；仍不行请联系技术支持。"
            get_log().error("import.failed", kind=kind, exc_info=error)
        finally:
            # The file holds personal data: it goes as soon as its rows are in.
            await asyncio.to_thread(path.unlink, missing_ok=True)
