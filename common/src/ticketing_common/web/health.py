"""Liveness, readiness and metrics."""

from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""These must work above all during overload, and make no spans."""

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    """Shows that the event loop runs. Checks nothing else, so an outage elsewhere restarts no healthy process."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """200 if indexes, streams and consumers exist and the bus is connected; otherwise 503 with the missing parts."""
    missing: list[str] = request.app.state.runtime.missing()
    if missing:
        return JSONResponse({"status": "not ready", "missing": missing}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
