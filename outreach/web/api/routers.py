"""All routers of the API."""

from fastapi import APIRouter


def api_routers() -> list[APIRouter]:
    """The routers of `/api/v1`."""
    return []
