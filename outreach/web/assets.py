"""Static files: addressed by their content's hash, so a browser asks for each version once."""

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=300"


class _Hashed(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _FOR_EVER if b"v=" in scope["query_string"] else _SHORT
        return response


def static_files() -> StaticFiles:
    """The application to mount at `/static`."""
    return _Hashed(directory=FOLDER)
