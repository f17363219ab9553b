"""Wrappers of an endpoint: their order, and what they share with the endpoint."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from ticketing_common.web import Handler, RequestModel, ServiceRouter, wrapped_by
from ticketing_common.web.response_cache import cached, cached_paths

pytestmark = pytest.mark.unit


Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Greeting(RequestModel):
    name: str


def trail(name: str) -> Callable[[Endpoint], Endpoint]:
    """Wrappers that record when they are entered and left."""

    def wrapper(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            trace: list[str] = request.app.state.trace
            trace.append(f"{name}: {(await request.json())['name']}")
            response = await handler(request)
            trace.append(f"{name}: {response.status_code}")
            return response

        return handle

    return wrapped_by(wrapper)


def answering_instead(_handler: Handler) -> Handler:
    async def handle(_request: Request) -> Response:
        return Response(status_code=418)

    return handle


router = ServiceRouter()


@router.post("/greetings", status_code=201)
@trail("outer")
@trail("inner")
async def greet(body: Greeting, request: Request) -> str:
    request.app.state.trace.append("endpoint")
    return f"Hello {body.name}"


@router.post("/teapot")
@wrapped_by(answering_instead)
async def never() -> None:
    raise AssertionError


@router.get("/list")
@cached
async def listed() -> list[str]:
    return []


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.state.trace = []
    app.include_router(router, prefix="/api")
    return app


async def call(app: FastAPI, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        return await client.post(path, json={"name": "Ada"})


async def test_the_topmost_is_outermost_and_all_see_the_same_body(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = 0
    loads = json.loads

    def counting(*args: Any, **options: Any) -> Any:
        nonlocal parsed
        parsed += 1
        return loads(*args, **options)

    monkeypatch.setattr(json, "loads", counting)
    answer = await call(app, "/api/greetings")
    assert parsed == 1
    assert (answer.status_code, answer.text) == (201, '"Hello Ada"')
    assert app.state.trace == ["outer: Ada", "inner: Ada", "endpoint", "inner: 201", "outer: 201"]


async def test_a_wrapper_may_answer_instead_of_the_endpoint(app: FastAPI) -> None:
    assert (await call(app, "/api/teapot")).status_code == 418


def test_the_paths_of_cached_lists_come_from_their_routes() -> None:
    assert cached_paths([router]) == ["/list"]
