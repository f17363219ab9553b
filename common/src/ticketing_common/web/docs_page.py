"""The page with a service's OpenAPI document, which loads scripts from our own origin only."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

ASSETS: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
MAY_BE_KEPT: Final = {"Cache-Control": "public, max-age=86400"}


def add_docs_page(app: FastAPI, *, prefix: str) -> None:
    """`{prefix}/docs`, and its files below it. Call before the routers are included: routes are matched in order.

    Swagger UI comes from the pinned package `fastapi-offline`; FastAPI's own page loads it from a public network
    without a hash, where it would run with the visitor's session. The one script in the page itself is allowed by its
    hash (Content Security Policy Level 3 §2.3.1).
    """
    path = f"{prefix}/docs"
    page = get_swagger_ui_html(
        openapi_url=f"{prefix}/openapi.json",
        title=f"{app.title} - Swagger UI",
        swagger_js_url=f"{path}/swagger-ui-bundle.js",
        swagger_css_url=f"{path}/swagger-ui.css",
        swagger_favicon_url=f"{path}/favicon.png",
    )
    html = bytes(page.body)
    policy = _policy(html.decode())

    async def docs(_request: Request) -> Response:
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    app.add_route(path, docs, include_in_schema=False)
    for name in ASSETS:
        app.add_route(f"{path}/{name}", _asset(name), include_in_schema=False)


def _asset(name: str) -> Callable[[Request], Awaitable[Response]]:
    file = Path(str(files("fastapi_offline"))) / "static" / name

    async def asset(_request: Request) -> Response:
        return FileResponse(file, headers=MAY_BE_KEPT)

    return asset


def _policy(html: str) -> str:
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(("'self'", *(f"'sha256-{one}'" for one in hashes)))
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
