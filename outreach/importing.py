"""Any file that a bureau has, by its kind: the one door for the command line, the API and the demo."""

from collections.abc import Callable
from pathlib import Path

from outreach.errors import InvalidInput
from outreach.imports.report import ImportReport, Progress
from outreach.labels.derived import refresh_derived
from outreach.labels.imports import import_attributes, import_labels
from outreach.registry.imports_persons import import_persons
from outreach.registry.imports_taxpayers import import_taxpayers
from outreach.registry.imports_units import import_org_units
from outreach.runtime import Runtime

_IMPORTS: dict[str, Callable[..., object]] = {
    "org_units": import_org_units,
    "taxpayers": import_taxpayers,
    "persons": import_persons,
    "labels": import_labels,
    "attributes": import_attributes,
}
KINDS = tuple(_IMPORTS)

_MOVES_SETS = frozenset({"org_units", "taxpayers", "persons"})


async def import_file(
    rt: Runtime,
    kind: str,
    path: Path,
    *,
    by: str,
    name: str = "",
    mapping: dict[str, str] | str | None = None,
    scope_org_id: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import a file of a kind, then bring the sets that follow from the registry up to date. Raises
    InvalidInput for an unknown kind or a file that cannot be read."""
    importer = _IMPORTS.get(kind)
    if importer is None:
        raise InvalidInput(f"没有导入种类 {kind}，可用：{'、'.join(KINDS)}", field="kind")
    report: ImportReport = await importer(  # type: ignore[misc]
        rt, path, name=name or path.name, by=by, scope_org_id=scope_org_id, mapping=mapping, progress=progress
    )
    if kind in _MOVES_SETS:
        async with rt.db.begin() as conn:
            await refresh_derived(conn, source=f"import:{report.id}")
    return report
