"""The call list for an outbound-call system, and the results that it gives back."""

import asyncio
import secrets
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import UploadFile

from outreach.errors import InvalidInput
from outreach.service.calls_sheet import call_list, take_results
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.permissions import actor_of
from outreach.web.reads.work_items import next_midnight

routes = console_routes()
_SUFFIXES = (".csv", ".xlsx", ".xls")
_LARGEST = 20 << 20
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@routes.post("/service/tasks/export", permission="work.assign")
async def export(request: Request) -> Response:
    """Calls that are due today; it holds telephone numbers, so it is asked for by a post."""
    rt = runtime_of(request)
    now = await rt.db.fetch_one("select business_now() as now")
    assert now is not None
    body = await call_list(rt, actor_of(request), next_midnight(now["now"]))
    headers = {"content-disposition": 'attachment; filename="calls.xlsx"', "cache-control": "no-store"}
    return Response(body, media_type=_EXCEL, headers=headers)


@routes.post("/service/tasks/import", permission="work.assign")
async def take(request: Request) -> HTMLResponse:
    """Results as the outbound-call system gives them back; every row that was refused is told."""
    file = (await request.form()).get("file")
    suffix = Path(file.filename or "").suffix.lower() if isinstance(file, UploadFile) else ""
    if not isinstance(file, UploadFile) or suffix not in _SUFFIXES:
        raise InvalidInput("请选择一个 CSV 或 Excel 文件。", field="file")
    body = await file.read(_LARGEST + 1)
    if len(body) > _LARGEST:
        raise InvalidInput("文件超过 20 MB，请分成几个文件导入。", field="file")
    rt = runtime_of(request)
    path = rt.settings.var / "imports" / f"results-{secrets.token_hex(8)}{suffix}"
    await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
    try:
        await asyncio.to_thread(path.write_bytes, body)
        taken = await take_results(rt, actor_of(request), path)
    finally:
        # The file holds personal data: it goes as soon as its rows are in.
        await asyncio.to_thread(path.unlink, missing_ok=True)
    return page(request, "work_taken.html", place="service", title="导入外呼结果", taken=taken)
