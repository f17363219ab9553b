"""How one request gets to Stripe and back: over aiohttp, for a quarter of what httpx costs (decision 0011)."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import stripe

__all__ = ["StripeTransport"]


class StripeTransport(stripe.AIOHTTPClient):
    """Sends each request once, and raises `stripe.APIConnectionError` unless a whole answer comes.

    Stripe's own class lets an answer that breaks off leave as an error of aiohttp's, keeps the connection of one that
    is given up half-way, and follows redirects, for which a POST becomes a GET. All three were seen.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session=session)
        self._connections = session

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str) -> AsyncIterator[Self]:
        """For the running event loop; `address` is where Stripe is."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=stripe.ca_bundle_path),
                limit=0,  # `StripeCalls` counts places; whoever waited here would be seen by nobody
            ),
            timeout=aiohttp.ClientTimeout(total=None),  # `StripeCalls` limits an attempt, from its beginning to its end
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy_to(address),
            middlewares=(_once,),
        ) as session:
            yield cls(session)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """The body, the status and the headers."""
        try:
            async with self._connections.request(
                method, url, headers=headers, data=post_data, allow_redirects=False
            ) as answer:
                return await answer.read(), answer.status, answer.headers
        except stripe.APIConnectionError:
            raise
        except Exception as error:  # whatever it was, what Stripe did is not known
            raise _no_answer(error) from error


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp sends a GET again by itself when the connection breaks, unless the error is none that it knows."""
    try:
        return await send(request)
    except (aiohttp.ClientError, OSError) as error:
        raise _no_answer(error) from error


def _no_answer(error: Exception) -> stripe.APIConnectionError:
    """With the error's kind only: its text may quote what was sent."""
    return stripe.APIConnectionError(type(error).__name__)  # type: ignore[no-untyped-call]  # stripe left it untyped


def _proxy_to(address: str) -> str | None:
    """What the environment names, asked for once: aiohttp would do so in a thread at each call, and read ~/.netrc."""
    parts = urlsplit(address)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
