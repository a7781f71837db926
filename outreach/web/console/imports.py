"""Imports: upload, progress, what was refused and why."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, NotFound
from outreach.governance.audit import append_audit
from outreach.imports.report import write_errors
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.pieces import Balance, Part
from outreach.web.console.render import fragment, page
from outreach.web.console.settings import PARTS
from outreach.web.permissions import actor_of
from outreach.web.reads.imports import errors_of, find_import, list_imports
from outreach.web.uploads import Uploads

routes = console_routes()
_SHOWN_ERRORS = 50


@routes.get("/settings/imports", permission="import.read")
async def show_list(request: Request, ticket: str = "") -> HTMLResponse:
    """All imports, and the form for the next."""
    return await _page(request, ticket, {})


@routes.get("/settings/imports/live", permission="import.read")
async def live(request: Request, ticket: str = "") -> HTMLResponse:
    """The list while something runs."""
    return fragment(request, "imports_live.html", **await _list(request, ticket))


@routes.post("/settings/imports/upload", permission="import.write")
async def upload(request: Request) -> Response:
    """Take a file; the import goes on while the page shows how far it is."""
    form = await request.form()
    kind = str(form.get("kind", ""))
    actor = actor_of(request)
    try:
        ticket = await uploads_of(request).take(actor, kind, form.get("file"))
    except InvalidInput as error:
        return await _page(request, "", {error.details.get("field", "file"): error.message})
    async with runtime_of(request).db.begin() as conn:
        await append_audit(conn, actor, "import.start", f"upload:{ticket}", {"kind": kind})
    return RedirectResponse(f"/console/settings/imports?ticket={ticket}", 303)


@routes.get("/settings/imports/{import_id}", permission="import.read")
async def show(request: Request, import_id: int) -> HTMLResponse:
    """One import with its first refused rows."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        row = await find_import(conn, actor, import_id)
        errors = await errors_of(conn, import_id, limit=_SHOWN_ERRORS)
    parts = [(key, word) for key, word, permission in PARTS if actor.may(permission)]
    return page(
        request, "settings_import.html", place="settings", title=row["name"], parts=parts, part="imports",
        row=row, errors=errors, balance=_balance(row),
    )  # fmt: skip


@routes.get("/settings/imports/{import_id}/errors", permission="import.read")
async def download_errors(request: Request, import_id: int) -> FileResponse:
    """All refused rows as a CSV for Excel."""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        await find_import(conn, actor_of(request), import_id)
    path = await write_errors(rt, import_id)
    if path is None:
        raise NotFound("这次导入没有被拒绝的内容。")
    return FileResponse(Path(path), media_type="text/csv", filename=f"import-{import_id}-errors.csv")


def _balance(row: dict[str, Any]) -> Balance:
    parts = (
        Part("新增", row["rows_new"], "planned"),
        Part("更新", row["rows_changed"], "state-accepted"),
        Part("未变", row["rows_same"], "out-4"),
        Part("拒绝", row["rows_bad"], "state-failed"),
    )
    return Balance("读入的行", row["rows_read"], "行", parts)


def uploads_of(request: Request) -> Uploads:
    """The imports of this process."""
    uploads: Uploads = request.app.state.uploads
    return uploads


async def _page(request: Request, ticket: str, errors: dict[str, str]) -> HTMLResponse:
    context = await _list(request, ticket)
    parts = [(key, word) for key, word, permission in PARTS if actor_of(request).may(permission)]
    status = 422 if errors else 200
    return page(
        request, "settings_imports.html", place="settings", title="导入", status=status, parts=parts,
        part="imports", errors=errors, **context,
    )  # fmt: skip


async def _list(request: Request, ticket: str) -> dict[str, Any]:
    async with runtime_of(request).db.begin() as conn:
        found = await list_imports(conn, actor_of(request))
    failure = uploads_of(request).failures.get(ticket, "")
    running = any(row["state"] == "running" for row in found.rows)
    return {
        "found": found,
        "ticket": ticket,
        "failure": failure,
        "running": running or bool(ticket and not failure),
    }
