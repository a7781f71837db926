"""Imports: a file handed in, how far it is, what was refused and why."""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import File, Form, Request, UploadFile
from fastapi.responses import FileResponse, Response

from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.audit import append_audit
from outreach.imports.report import write_errors
from outreach.runtime import Runtime
from outreach.web.api.access import api_routes, runtime_of, uploads_of
from outreach.web.api.fields import FIRST, Cursor, Limit, Listing, Model, PathId, pick, pick_all
from outreach.web.permissions import actor_of
from outreach.web.reads.imports import find_import, list_imports
from outreach.web.uploads import Uploads

_SQL = load_queries(__file__)
routes = api_routes("/imports", "导入")
Kind = Literal["org_units", "taxpayers", "persons", "labels", "attributes"]
_BLOCK = 1024 * 1024
_PATIENCE = 20.0
_LOOK = 0.1


class ImportRow(Model):
    """An import: `rows_read = rows_good + rows_bad`, `rows_good = rows_new + rows_changed + rows_same`."""

    id: int
    kind: str
    name: str
    state: str
    rows_read: int
    rows_good: int
    rows_bad: int
    rows_new: int
    rows_changed: int
    rows_same: int
    by: str
    org_id: int | None
    org_name: str | None
    started_at: datetime
    finished_at: datetime | None


class Begun(Model):
    """`import_id` is where to look from now on; null if the import waits for another one to end: then it
    appears in the list later."""

    import_id: int | None


@routes.get("", permission="import.read", summary="导入记录")
async def show_list(request: Request, cursor: Cursor = "", limit: Limit = FIRST) -> Listing[ImportRow]:
    """数据范围内的导入，最新的在前。"""
    async with runtime_of(request).db.begin() as conn:
        found = await list_imports(conn, actor_of(request), cursor=cursor, limit=limit)
    return Listing[ImportRow](rows=pick_all(ImportRow, found.rows), next=found.next)


@routes.post("", permission="import.write", summary="上传文件并开始导入", status_code=202)
async def upload(
    request: Request,
    kind: Annotated[Kind, Form(description="文件内容", examples=["taxpayers"])],
    file: Annotated[UploadFile, File(description="CSV、TXT 或 Excel 文件", examples=["taxpayers.csv"])],
) -> Begun:
    """导入在后台进行，重复上传同一文件不会产生重复数据。文件读不懂时立即返回 422。"""
    rt, actor, uploads = runtime_of(request), actor_of(request), uploads_of(request)
    known = await rt.db.fetch_one(_SQL["newest"], {"by": actor.name})
    wanted = {"by": actor.name, "before": known["id"] if known else 0, "sha256": await _digest(file)}
    ticket = await uploads.take(actor, kind, file)
    async with rt.db.begin() as conn:
        await append_audit(conn, actor, "import.start", f"upload:{ticket}", {"kind": kind})
    return Begun(import_id=await _begun(rt, uploads, ticket, wanted))


@routes.get("/{import_id}", permission="import.read", summary="一次导入的进度和结果")
async def show(request: Request, import_id: PathId) -> ImportRow:
    """`state` 为 running、finished 或 failed。"""
    async with runtime_of(request).db.begin() as conn:
        return pick(ImportRow, await find_import(conn, actor_of(request), import_id))


@routes.get(
    "/{import_id}/errors", permission="import.read", summary="下载被拒绝的行", response_class=Response
)
async def download_errors(request: Request, import_id: PathId) -> FileResponse:
    """CSV，内容已遮盖，可直接用 Excel 打开。没有被拒绝的行时返回 404。"""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        await find_import(conn, actor_of(request), import_id)
    path = await write_errors(rt, import_id)
    if path is None:
        raise NotFound("这次导入没有被拒绝的内容。")
    return FileResponse(path, media_type="text/csv", filename=f"import-{import_id}-errors.csv")


async def _digest(file: UploadFile) -> bytes:
    digest = hashlib.sha256()
    while block := await file.read(_BLOCK):
        await asyncio.to_thread(digest.update, block)
    await file.seek(0)
    return digest.digest()


async def _begun(rt: Runtime, uploads: Uploads, ticket: str, wanted: Mapping[str, Any]) -> int | None:
    """Wait until the import has its row or was refused before. Raises InvalidInput with the refusal."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if ticket in uploads.failures:
            raise InvalidInput(uploads.failures[ticket], field="file")
        row = await rt.db.fetch_one(_SQL["begun"], dict(wanted))
        if row is not None:
            return int(row["id"])
        await asyncio.sleep(_LOOK)
    return None
