"""The test with hostile input detects faults of careless routes; otherwise its success would prove nothing."""

import unicodedata
from typing import Annotated

import pytest
from fastapi import FastAPI, HTTPException
from pydantic import AfterValidator, BaseModel, StringConstraints
from starlette.middleware import Middleware

from ticketing_common.web.error_handlers import add_error_handlers
from ticketing_common.web.request_scope import RequestScopeMiddleware
from ticketing_testkit.hostile import findings

pytestmark = pytest.mark.unit

NORMALISED = AfterValidator(lambda text: unicodedata.normalize("NFC", text))


def a_service() -> FastAPI:
    app = FastAPI(
        middleware=[Middleware(RequestScopeMiddleware, service="test", behind_tls=True)],
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
    )
    add_error_handlers(app)
    return app


async def found(app: FastAPI, *places: str) -> list[str]:
    return [finding async for finding in findings(app, "token", places=places)]


async def test_work_before_the_length_check_is_detected() -> None:
    class Careless(BaseModel):
        name: Annotated[str, NORMALISED]
        other: int

    app = a_service()

    @app.post("/careless")
    async def careless(body: Careless) -> None: ...

    first = await anext(findings(app, "token", places=["field name"]))
    assert first.startswith("careless: marks out of order in field name kept the event loop busy")


async def test_accepted_and_failing_input_is_detected() -> None:
    app = a_service()

    @app.get("/list")
    async def listed(limit: str = "20", colour: str = "red") -> None:
        if limit != "20":
            raise HTTPException(500)

    faults = await found(app, "query limit", "query colour")

    assert "listed: long digits in query limit got the status 500" in faults
    assert "listed: NULs in query colour was accepted with 200" in faults


async def test_a_careful_route_has_no_fault() -> None:
    class Careful(BaseModel):
        name: Annotated[str, StringConstraints(max_length=200), NORMALISED]
        other: int

    app = a_service()

    @app.post("/careful")
    async def careful(body: Careful) -> None: ...

    assert await found(app, "field name", "field other", "body") == []
