"""Security events: every refusal is logged and counted, with ids and without personal data."""

import json
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import REGISTRY
from pydantic import BaseModel
from starlette.middleware import Middleware

from ticketing_common.errors import ForbiddenError, InvalidInputError, NotFoundError, TooManyRequestsError
from ticketing_common.security import (
    AuthenticationMiddleware,
    CurrentUser,
    OriginCheck,
    SessionReader,
    TokenVerifier,
)
from ticketing_common.telemetry import SecurityEvent, configure_logging, init_security_series, record_security_event
from ticketing_common.web.error_handlers import add_error_handlers
from ticketing_common.web.request_scope import RequestScopeMiddleware
from ticketing_testkit.apps import AUDIENCE, ISSUER, Identity

pytestmark = pytest.mark.unit


def counted(event: SecurityEvent) -> float:
    return REGISTRY.get_sample_value("security_events_total", {"event": event.value}) or 0.0


@pytest.fixture
async def client(identity: Identity) -> Any:
    router = APIRouter()

    @router.get("/things/{id}")
    async def thing(request: Request, user: CurrentUser) -> None:
        kind = request.query_params["kind"]
        raise {
            "denied": ForbiddenError("Not yours."),
            "limited": TooManyRequestsError(retry_after_seconds=3, limit="things"),
            "missing": NotFoundError(),
        }[kind]

    class Thing(BaseModel):
        model_config = {"extra": "forbid"}
        size: int

    @router.post("/things")
    async def make(thing: Thing, user: CurrentUser) -> None:
        raise InvalidInputError("No such size.")

    verifier = TokenVerifier([identity.public_key_pem], issuer=ISSUER, audience=AUDIENCE)
    authentication = Middleware(
        AuthenticationMiddleware,
        origins=OriginCheck(allowed_origins=[], cookie_names=["session"]),
        sessions=SessionReader(verifier=verifier, cookie_names=["session"]),
    )
    scope = Middleware(RequestScopeMiddleware, service="things", behind_tls=True)
    app = FastAPI(middleware=[scope, authentication])
    add_error_handlers(app)
    app.state.prefix = "/api"
    app.include_router(router, prefix="/api")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "event", "facts"),
    [
        ("denied", SecurityEvent.DENIED, {"reason": "ForbiddenError"}),
        ("limited", SecurityEvent.LIMIT_REACHED, {"reason": "TooManyRequestsError", "limit": "things"}),
    ],
)
async def test_a_refusal_is_logged_with_the_account_and_the_route_and_counted(
    client: httpx.AsyncClient, identity: Identity, capsys: pytest.CaptureFixture[str], kind: str, event: Any, facts: Any
) -> None:
    configure_logging(service="things", level="warning")
    before = counted(event)
    headers = identity.headers("5e11e4" * 4, email="ann@example.com")

    await client.get(f"/api/things/7?kind={kind}", headers=headers)

    (line,) = (json.loads(text) for text in capsys.readouterr().out.splitlines())
    expected = {"account_id": "5e11e4" * 4, "method": "GET", "route": "/api/things/{id}", **facts}
    assert {name: line[name] for name in expected} == expected
    assert (line["event"], line["security_event"]) == ("security event", event.value)
    assert "ann" not in str(line)
    assert counted(event) == before + 1


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        ('{"size": "ann@example.com"}', {"reason": "RequestValidationError", "kinds": "int_parsing"}),
        ('{"size": 1, "ann@example.com": 1}', {"reason": "RequestValidationError", "kinds": "extra_forbidden"}),
        ('{"ann@example.com', {"reason": "RequestValidationError", "kinds": "json_invalid"}),
        ('{"size": ' + "[" * 60_000 + '"ann"', {"kinds": "unreadable"}),
        ('{"size": 1}', {"reason": "InvalidInputError"}),
    ],
)
async def test_refused_input_is_logged_by_its_kind_and_never_by_its_content(
    client: httpx.AsyncClient, identity: Identity, capsys: pytest.CaptureFixture[str], body: str, facts: dict[str, str]
) -> None:
    configure_logging(service="things", level="info")
    before = counted(SecurityEvent.INPUT_REFUSED)
    headers = {**identity.headers("5e11e4" * 4), "Content-Type": "application/json"}

    assert (await client.post("/api/things", content=body, headers=headers)).status_code == 422

    (line,) = (json.loads(text) for text in capsys.readouterr().out.splitlines())
    expected = {"account_id": "5e11e4" * 4, "method": "POST", "route": "/api/things", "level": "info", **facts}
    assert {name: line[name] for name in expected} == expected
    assert "ann" not in str(line)
    assert counted(SecurityEvent.INPUT_REFUSED) == before + 1


async def test_an_unauthenticated_caller_is_counted_without_an_account(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(service="things", level="warning")
    before = counted(SecurityEvent.UNAUTHENTICATED)
    for headers in ({}, {"Authorization": "Bearer forged"}):
        assert (await client.get("/api/things/7?kind=denied", headers=headers)).status_code == 401
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [line["security_event"] for line in lines] == ["access.unauthenticated"] * 2
    assert all("account_id" not in line and "forged" not in str(line) for line in lines)
    assert counted(SecurityEvent.UNAUTHENTICATED) == before + 2


async def test_other_answers_are_no_security_events(
    client: httpx.AsyncClient, identity: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(service="things", level="debug")
    await client.get("/api/things/7?kind=missing", headers=identity.headers())
    assert "security event" not in capsys.readouterr().out


def test_every_event_has_its_series_before_the_first_one() -> None:
    init_security_series()
    for event in SecurityEvent:
        assert REGISTRY.get_sample_value("security_events_total", {"event": event.value}) is not None


def test_fields_that_are_not_known_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(service="auth", level="info")
    record_security_event(SecurityEvent.SIGN_IN_SUCCEEDED, {"account_id": "1", "account_key": None})
    line = json.loads(capsys.readouterr().out)
    assert (line["account_id"], line["level"]) == ("1", "info")
    assert "account_key" not in line
