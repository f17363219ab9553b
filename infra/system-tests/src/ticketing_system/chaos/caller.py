"""One user's HTTP calls, repeated with the same Idempotency-Key until there is a definite response."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from ticketing_ops.api import Api

from .ledger import Ledger

ANSWER_SECONDS: Final = 8.0
"""For one response: shorter than a service's limit for Stripe, so that some callers disconnect during the work."""
PATIENCE_SECONDS: Final = 20.0
LONGEST_PAUSE_SECONDS: Final = 1.0
STILL_RUNNING: Final = "Still running"


@dataclass(frozen=True)
class Answer:
    """A definite response."""

    status: int
    body: Any

    @property
    def done(self) -> bool:
        """Whether the response reports success."""
        return 200 <= self.status < 300


@dataclass
class Caller:
    """A user with an account. Each caller has its own `chance`, so that no caller changes another's random choices."""

    http: httpx.AsyncClient
    addresses: dict[str, str]
    ledger: Ledger
    chance: random.Random
    name: str
    id: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    async def sign_up(self) -> None:
        """Create the account; only before the first fault."""
        email = f"{self.name}@example.com"
        made = await self.decided("sign up", "POST", "/api/users/signup", {"email": email, "password": self.password})
        if made is None or not made.done:
            raise RuntimeError(f"{self.name} cannot sign up: {made}")
        self.id = made.body["id"]
        self.ledger.accounts[self.id] = email
        await self.sign_in()

    async def sign_in(self) -> None:
        """Get a token; an acknowledged account that no longer exists is a broken promise."""
        form = {"username": f"{self.name}@example.com", "password": self.password}
        answer = await self.decided("sign in", "POST", "/api/users/token", form=form)
        if answer is not None and answer.done:
            self.token = answer.body["access_token"]
        elif answer is not None:
            self.ledger.broken.append(f"{self.name} cannot sign in any more: {answer.status}")

    async def decided(
        self,
        action: str,
        method: str,
        path: str,
        json: Any = None,
        *,
        form: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Answer | None:
        """Repeat the request until there is a definite response; None after `PATIENCE_SECONDS`.

        No response, a 5xx and "Still running" are not definite. The Idempotency-Key stays the same.
        """
        self.ledger.begun[action] += 1
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        pause = 0.1
        while True:
            answer = await self._call(method, path, json, form, key)
            if answer is not None:
                if answer.done:
                    self.ledger.acknowledged[action] += 1
                return answer
            if loop.time() > deadline:
                self.ledger.unanswered[action] += 1
                return None
            await asyncio.sleep(pause * self.chance.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _call(
        self, method: str, path: str, json: Any, form: dict[str, str] | None, key: str | None
    ) -> Answer | None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        url = Api.address(self.addresses, path)
        try:
            response = await self.http.request(method, url, json=json, data=form, headers=headers)
        except httpx.TransportError:
            return None
        body = response.json() if response.content else None
        if response.status_code >= 500 or (isinstance(body, dict) and body.get("title") == STILL_RUNNING):
            return None
        return Answer(response.status_code, body)

    def key(self) -> str:
        """A new Idempotency-Key."""
        return f"{self.name}-{self.chance.getrandbits(64):016x}"
