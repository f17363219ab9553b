"""HTTP transport to Stripe over aiohttp, which takes a quarter of the CPU time of httpx (decision 0011)."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import stripe


class StripeTransport(stripe.AIOHTTPClient):
    """Sends each request once, and raises `stripe.APIConnectionError` without a complete response.

    Stripe's own class has three faults, all observed. It raises aiohttp's error for a truncated response. It reuses the
    connection of an abandoned response. It follows redirects, and so turns a POST into a GET.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session=session)
        self._connections = session

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str) -> AsyncIterator[Self]:
        """A transport for the running event loop; `address` is Stripe's base URL."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=stripe.ca_bundle_path),
                limit=0,  # `StripeCalls` limits concurrency; metrics would not show a call that waits here
            ),
            timeout=aiohttp.ClientTimeout(total=None),  # `StripeCalls` limits the time of an attempt
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy_to(address),
            middlewares=(_once,),
        ) as session:
            yield cls(session)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """The response's body, status and headers."""
        try:
            async with self._connections.request(
                method, url, headers=headers, data=post_data, allow_redirects=False
            ) as answer:
                return await answer.read(), answer.status, answer.headers
        except stripe.APIConnectionError:
            raise
        except Exception as error:  # after any error the outcome at Stripe is unknown
            raise _connection_error(error) from error


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Prevent aiohttp from retrying a GET on a broken connection: it does not retry on an unknown error type."""
    try:
        return await send(request)
    except (aiohttp.ClientError, OSError) as error:
        raise _connection_error(error) from error


def _connection_error(error: Exception) -> stripe.APIConnectionError:
    """An error with the original's type name only, since its text may quote the request."""
    return stripe.APIConnectionError(type(error).__name__)  # type: ignore[no-untyped-call]  # stripe left it untyped


def _proxy_to(address: str) -> str | None:
    """The environment's proxy, read once. aiohttp would read it in a thread at each call, and read ~/.netrc, too."""
    parts = urlsplit(address)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
