"""Health: alive without looking, ready from memory, and the metrics."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    """The event loop answers; nothing else is asked, so an outage elsewhere restarts no healthy process."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """200 once indexes, streams and consumers exist and while the bus is not lost; else 503 with what is missing."""
    missing: list[str] = request.app.state.runtime.missing()
    if missing:
        return JSONResponse({"status": "not ready", "missing": missing}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
