"""Generated keys, and a small ASGI application behind the middleware under test."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from ticketing_common.security import OriginCheck, SessionReader, TokenSigner, TokenVerifier
from ticketing_testkit.apps import AUDIENCE, ISSUER, Identity

Browse = Callable[[ASGIApp], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def signer(identity: Identity) -> TokenSigner:
    return TokenSigner(identity.private_key_pem, issuer=ISSUER, audience=AUDIENCE, lifetime_seconds=1800)


@pytest.fixture
def verifier(identity: Identity) -> TokenVerifier:
    return TokenVerifier([identity.public_key_pem], issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def checks(verifier: TokenVerifier) -> Mapping[str, Any]:
    """The arguments of `AuthenticationMiddleware`."""
    names = ["session"]
    return {
        "origins": OriginCheck(allowed_origins=["https://ticketing.dev/", "http://localhost:3000"], cookie_names=names),
        "sessions": SessionReader(verifier=verifier, cookie_names=names),
    }


@pytest.fixture
def browse() -> Browse:
    """A client of an ASGI application; it raises the application's exceptions."""

    @asynccontextmanager
    async def open_browser(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://ticketing.dev") as browser:
            yield browser

    return open_browser
