from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from ticketing_common.security import AuthenticationMiddleware
from ticketing_testkit.apps import Identity

from .conftest import Browse

pytestmark = pytest.mark.unit

ANN = "ann@example.com"
BOB = "bob@example.com"

Ask: TypeAlias = Callable[..., Awaitable[list[Any]]]
"""Calls with these headers; returns the user's address, whether it came with a cookie, and the error."""


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    state = Request(scope).state
    error = state.authentication_error
    await JSONResponse([state.user.email if state.user else None, state.session_cookie, str(error) if error else None])(
        scope, receive, send
    )


@pytest.fixture
async def ask(browse: Browse, checks: Mapping[str, Any]) -> AsyncIterator[Ask]:
    async with browse(AuthenticationMiddleware(who, **checks)) as browser:

        async def call(*headers: Any) -> list[Any]:
            called = await browser.get("/", headers=httpx.Headers(list(headers)))
            return list(called.json())

        yield call


async def test_a_request_without_a_token_has_no_user(ask: Ask) -> None:
    assert await ask() == [None, False, None]
    assert await ask(("Cookie", "theme=dark")) == [None, False, None]
    assert await ask(("Cookie", "session=")) == [None, False, None]


async def test_a_cookie_or_a_bearer_header_authenticates(ask: Ask, identity: Identity) -> None:
    assert await ask(("Cookie", f"session={identity.token(email=ANN)}")) == [ANN, True, None]
    assert await ask(("Authorization", f"Bearer {identity.token(email=ANN)}")) == [ANN, False, None]
    assert await ask(("authorization", f"bearer   {identity.token(email=ANN)}")) == [ANN, False, None]


async def test_a_token_in_the_address_is_not_read(
    browse: Browse, checks: Mapping[str, Any], identity: Identity
) -> None:
    """URLs appear in browser histories, proxy logs and Referer headers."""
    async with browse(AuthenticationMiddleware(who, **checks)) as browser:
        for name in ("session", "access_token", "token", "authorization"):
            assert (await browser.get("/", params={name: identity.token()})).json() == [None, False, None]


async def test_the_header_goes_before_the_cookie_even_when_it_is_wrong(ask: Ask, identity: Identity) -> None:
    cookie = ("Cookie", f"session={identity.token(email=BOB)}")
    assert await ask(cookie, ("Authorization", f"Bearer {identity.token(email=ANN)}")) == [ANN, False, None]
    user, from_cookie, error = await ask(cookie, ("Authorization", "Bearer nonsense"))
    assert (user, from_cookie) == (None, False)
    assert error


async def test_credentials_of_another_scheme_are_not_ours(ask: Ask, identity: Identity) -> None:
    cookie = ("Cookie", f"session={identity.token(email=BOB)}")
    assert await ask(cookie, ("Authorization", "Basic YTpi")) == [BOB, True, None]
    assert await ask(("Authorization", identity.token())) == [None, False, None]


@pytest.mark.parametrize(
    "cookies",
    [
        *('prefs={{"a":1}}; session={}', "a[b]=1; session={}", "session={}; flag", "a=b c; session={}"),
        *("a=é; session={}", "a=1;session={};b=2", "  session = {} ", 'session="{}"'),
    ],
)
async def test_malformed_cookies_of_others_do_not_sign_a_user_out(ask: Ask, identity: Identity, cookies: str) -> None:
    header = ("Cookie", cookies.format(identity.token(email=ANN)).encode())
    assert await ask(header) == [ANN, True, None]


async def test_a_name_that_only_ends_or_begins_like_the_cookies_is_another_cookie(ask: Ask, identity: Identity) -> None:
    assert await ask(("Cookie", f"xsession={identity.token()}; sessions={identity.token()}")) == [None, False, None]


async def test_why_a_token_is_not_valid_is_kept_for_the_route_that_needs_one(ask: Ask, identity: Identity) -> None:
    user, from_cookie, error = await ask(("Cookie", f"session={identity.token(exp=1, iat=0)}"))
    assert (user, from_cookie) == (None, True)
    assert "expired" in error
    user, _, error = await ask(("Authorization", f"Bearer {Identity().token()}"))
    assert user is None
    assert error


async def test_one_request_leaves_nothing_for_the_next(ask: Ask, identity: Identity) -> None:
    assert (await ask(("Authorization", f"Bearer {identity.token(email=ANN)}")))[0] == ANN
    assert await ask() == [None, False, None]


async def test_other_protocols_than_http_pass_unchanged(checks: Mapping[str, Any]) -> None:
    seen: list[Scope] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        raise AssertionError

    async def send(_message: Message) -> None:
        raise AssertionError

    middleware = AuthenticationMiddleware(inner, **checks)
    await middleware({"type": "lifespan"}, receive, send)
    assert seen == [{"type": "lifespan"}]
