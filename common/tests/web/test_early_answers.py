"""Answers from memory come before the service's other work, and only to requests that are complete."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.security import AUDIENCE, OriginCheck, SessionReader, TokenVerifier
from ticketing_common.web import EarlyRequest
from ticketing_common.web.early_answers import MAX_BODY_BYTES, EarlyAnswerMiddleware
from ticketing_testkit.apps import ISSUER, Identity

pytestmark = pytest.mark.unit


async def route(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("the route")(scope, receive, send)


@pytest.fixture
def app(identity: Identity) -> EarlyAnswerMiddleware:
    async def known(request: EarlyRequest) -> ASGIApp | None:
        return Response(b"early " + request.body) if b"known" in request.body else None

    async def page(_request: EarlyRequest) -> ASGIApp:
        return Response("early page")

    verifier = TokenVerifier([identity.public_key_pem], issuer=ISSUER, audience=AUDIENCE)
    return EarlyAnswerMiddleware(
        route,
        prefix="/api/things",
        answers={("POST", ""): known, ("GET", "/all"): page},
        origins=OriginCheck(allowed_origins=[], cookie_names=["session"]),
        sessions=SessionReader(verifier=verifier, cookie_names=["session"]),
    )


async def ask(
    app: ASGIApp, method: str, path: str, body: bytes = b"", *, complete: bool = True, **scope: Any
) -> tuple[bytes, Scope]:
    cycle = SimpleNamespace(more_body=not complete, body=bytearray(body))
    asked = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "headers": [],
        "extensions": {"ticketing.transport": {"cycle": cycle}},
        **scope,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing is taken from the request")

    async def send(message: Message) -> None:
        sent.append(message)

    await app(asked, receive, send)
    return sent[1]["body"], asked


async def test_what_is_known_is_answered_before_the_route(app: EarlyAnswerMiddleware) -> None:
    body, scope = await ask(app, "POST", "/api/things", b"known")
    assert (body, scope["route"].path) == (b"early known", "")
    assert (await ask(app, "GET", "/api/things/all", complete=False, extensions={}))[0] == b"early page"


@pytest.mark.parametrize(
    ("method", "body", "more"),
    [
        ("POST", b"other", {}),
        ("POST", b"known", {"complete": False}),
        ("POST", b"known" + b" " * MAX_BODY_BYTES, {}),
        ("POST", b"known", {"raw_path": b"/api%2Fthings"}),
        ("POST", b"known", {"extensions": {}}),
        ("PUT", b"known", {}),
    ],
    ids=["unknown", "body still arriving", "long body", "escaped slash", "other server", "other method"],
)
async def test_the_route_answers_everything_else(
    app: EarlyAnswerMiddleware, method: str, body: bytes, more: dict[str, Any]
) -> None:
    assert (await ask(app, method, "/api/things", body, **more))[0] == b"the route"
