from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware

from ticketing_common.security import AuthenticationMiddleware, CurrentUser, OptionalUser
from ticketing_common.web.request_scope import RequestScopeMiddleware
from ticketing_testkit.apps import Identity

from .conftest import Browse

pytestmark = pytest.mark.unit


@pytest.fixture
def app(checks: Mapping[str, Any]) -> FastAPI:
    app = FastAPI(
        middleware=[
            Middleware(RequestScopeMiddleware, service="test", behind_tls=True),
            Middleware(AuthenticationMiddleware, **checks),
        ]
    )

    @app.get("/mine")
    async def mine(user: CurrentUser) -> str:
        return user.email

    @app.get("/anyone")
    async def anyone(user: OptionalUser) -> str | None:
        return user.email if user else None

    return app


@pytest.fixture
async def browser(browse: Browse, app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with browse(app) as browser:
        yield browser


async def test_a_route_that_requires_a_user_gets_the_user(browser: httpx.AsyncClient, identity: Identity) -> None:
    headers = identity.headers(email="ann@example.com")
    assert (await browser.get("/mine", headers=headers)).json() == "ann@example.com"
    assert (await browser.get("/anyone", headers=headers)).json() == "ann@example.com"


async def test_only_routes_that_require_a_user_refuse_anonymous_callers(browser: httpx.AsyncClient) -> None:
    refused = await browser.get("/mine")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await browser.get("/anyone")).json() is None


async def test_a_refusal_says_that_the_session_has_expired(browser: httpx.AsyncClient, identity: Identity) -> None:
    headers = identity.headers(iat=0, exp=1)
    assert "expired" in (await browser.get("/mine", headers=headers)).json()["detail"]
    assert (await browser.get("/anyone", headers=headers)).json() is None


def test_both_authentication_schemes_are_documented(app: FastAPI) -> None:
    document = app.openapi()
    kinds = {
        (scheme["type"], scheme.get("in", scheme.get("scheme")))
        for scheme in document["components"]["securitySchemes"].values()
    }
    assert kinds == {("apiKey", "cookie"), ("http", "bearer")}
