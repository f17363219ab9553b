"""Asks a range API whether a new password is in a list of leaked passwords, without telling it the password."""

import asyncio
import hmac
import time
import unicodedata
from hashlib import sha1
from typing import Final, Self
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from ticketing_auth.errors import PasswordBreachedError
from ticketing_common.telemetry import get_logger, metrics

log = get_logger(__name__)

PREFIX: Final = 5
"""Hex digits of the SHA-1 that leave this process: some 800 leaked passwords begin with the same ones."""
TIMEOUT_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 30.0
"""How long no call is made after one has failed, so that not every sign-up waits for a service that is down."""
MOST_BYTES: Final = 256 * 1024
"""A padded response has 800 to 1,000 lines of some 40 bytes."""
CONNECTIONS: Final = 20
OUTCOMES: Final = ("breached", "clear", "failed", "skipped")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class BreachedPasswords:
    """The check with k-anonymity of Have I Been Pwned (https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange).

    The API gets the first five hex digits of the password's SHA-1 and returns all leaked suffixes with these digits.
    `Add-Padding` makes the length of the response say nothing: padding has the count 0.

    Without an answer within a second the password is accepted, since the built-in list was checked already: people sign
    up also while the API is down. Neither logs nor errors have the digits.
    """

    def __init__(self, client: httpx.AsyncClient | None) -> None:
        """None: the check is off."""
        self._client = client
        self._paused_until = 0.0
        self._failing = False
        metrics.init_series(metrics.BREACHED_PASSWORD_CHECKS, *((outcome,) for outcome in OUTCOMES))

    @classmethod
    def at(cls, url: str) -> Self:
        """A check for the running event loop; `url` is the address before the five digits, empty to turn it off."""
        if not url:
            return cls(None)
        client = httpx.AsyncClient(
            base_url=url,
            headers={"Add-Padding": "true", "User-Agent": "ticketing"},
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=CONNECTIONS),
            trust_env=urlsplit(url).hostname not in _LOOPBACK,  # calls to this machine use no proxy
        )
        return cls(client)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def check_new(self, password: SecretStr) -> None:
        """Raise `PasswordBreachedError` for a new password that is known to be leaked. Takes a second at most."""
        if self._client is None:
            return
        if time.monotonic() < self._paused_until:
            _count("skipped")
            return
        text = unicodedata.normalize("NFC", password.get_secret_value())
        digest = sha1(text.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                leaked = _has_suffix(await self._range(self._client, digest[:PREFIX]), digest[PREFIX:])
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            _count("failed")
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            if not self._failing:
                # The type only: the text of an error may have the address with the digits.
                log.warning("breached passwords are not checked: the API does not answer", reason=type(error).__name__)
            self._failing = True
            return
        if self._failing:
            log.info("breached passwords are checked again")
        self._failing = False
        _count("breached" if leaked else "clear")
        if leaked:
            raise PasswordBreachedError

    async def _range(self, client: httpx.AsyncClient, prefix: str) -> str:
        """The response for this prefix. Raises `httpx.HTTPError`, and `ValueError` for one that is too long."""
        body = bytearray()
        async with client.stream("GET", prefix) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"status {answer.status_code}")
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise ValueError("too long")
        return body.decode("ascii")


def _has_suffix(lines: str, suffix: str) -> bool:
    """Whether a line `SUFFIX:COUNT` has this suffix and a count above 0. Raises `ValueError` for any other line."""
    found = False
    for line in lines.splitlines():
        listed, separator, count = line.partition(":")
        if not separator or len(listed) != len(suffix):
            raise ValueError("malformed line")
        found |= int(count) > 0 and hmac.compare_digest(listed.upper(), suffix)
    return found


def _count(outcome: str) -> None:
    metrics.BREACHED_PASSWORD_CHECKS.labels(outcome).inc()
