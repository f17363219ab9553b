"""Stripe with its idempotency and its faults, in front of the double that has neither.

It behaves as Stripe is documented to (https://docs.stripe.com/api/idempotent_requests,
https://docs.stripe.com/error-low-level).
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import httpx
from aiohttp import web

__all__ = ["Bank", "Call", "Fault", "StripeProxy"]

THREE_D_SECURE = "4000002500003155"
UNKNOWN_TO_THE_DOUBLE = ("allowed_payment_method_types", "use_stripe_sdk", "cancellation_reason", "reason")


@dataclass
class Call:
    """One request that came to Stripe."""

    method: str
    path: str
    key: str | None
    version: str | None
    form: list[tuple[str, str]]


@dataclass
class Fault:
    """What happens to the next `times` calls whose `METHOD /path` matches.

    `lost`: done, and the connection breaks. `silent`: done, and no answer ever comes. `crashed`: done, answered with
    500, and that answer is kept for its key, as Stripe does. `away`: not done, 503. `refused`: not done, this `error`
    with 4xx. `held`: goes on after `release()`.
    """

    kind: str
    pattern: str
    times: int = 1
    error: dict[str, str] = field(default_factory=dict)
    status: int = 400
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


class StripeProxy:
    """Stripe's idempotency, and faults on demand, in front of the double."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.calls: list[Call] = []
        self._faults: list[Fault] = []
        self._kept: dict[str, tuple[object, int, bytes]] = {}
        self._running: set[str] = set()
        self._closing = asyncio.Event()
        self._session: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def start(cls, target: str) -> AsyncIterator[Self]:
        proxy = cls(target)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = "http://{}:{}".format(*runner.addresses[0])
        proxy._session = aiohttp.ClientSession()
        try:
            yield proxy
        finally:
            proxy._closing.set()
            await runner.cleanup()
            await proxy._session.close()

    def fail(self, kind: str, pattern: str, times: int = 1, **details: Any) -> Fault:
        fault = Fault(kind, pattern, times, **details)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        self._faults.clear()

    def made(self, pattern: str) -> list[Call]:
        """The calls whose `METHOD /path` matches."""
        return [call for call in self.calls if re.search(pattern, f"{call.method} {call.path}")]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        self.calls.append(Call(request.method, request.path, key, request.headers.get("Stripe-Version"), form))
        fault = self._fault(f"{request.method} {request.path}")
        kind = fault.kind if fault else None
        if fault:
            fault.reached.set()
        if kind == "away":
            return _error(503, {"type": "api_error", "message": "away"})
        if fault and kind == "refused":
            return _error(fault.status, {"type": "invalid_request_error", **fault.error})
        if fault and kind == "held":
            await fault.released.wait()
        replayed = {"Idempotent-Replayed": "true"} if key in self._kept else {}
        status, body = await self._once(request, key, form, crash=kind == "crashed")
        if kind == "lost" and request.transport is not None:
            request.transport.abort()
        if kind == "silent":
            await self._closing.wait()
        return web.Response(status=status, body=body, headers=replayed, content_type="application/json")

    def _fault(self, call: str) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and re.search(fault.pattern, call):
                fault.times -= 1
                return fault
        return None

    async def _once(
        self, request: web.Request, key: str | None, form: list[tuple[str, str]], *, crash: bool
    ) -> tuple[int, bytes]:
        if key is None:
            return await self._forward(request, form)
        fingerprint = (request.path, sorted(form))
        if key in self._kept:
            kept, status, body = self._kept[key]
            if kept != fingerprint:
                return 400, _body({"type": "idempotency_error", "message": "same key, other parameters"})
            return status, body
        if key in self._running:
            return 409, _body({"type": "idempotency_error", "code": "idempotency_key_in_use"})
        self._running.add(key)
        try:
            status, body = await self._forward(request, form)
            if crash:
                status, body = 500, _body({"type": "api_error", "message": "crashed"})
            self._kept[key] = (fingerprint, status, body)
            return status, body
        finally:
            self._running.discard(key)

    async def _forward(self, request: web.Request, form: list[tuple[str, str]]) -> tuple[int, bytes]:
        known = [(name, value) for name, value in form if not name.startswith(UNKNOWN_TO_THE_DOUBLE)]
        headers = {"Authorization": request.headers["Authorization"]}
        address = f"{self.target}{request.path_qs}"
        async with self._session.request(request.method, address, data=known or None, headers=headers) as answer:
            return answer.status, await answer.read()


def _body(error: dict[str, str]) -> bytes:
    return json.dumps({"error": error}).encode()


def _error(status: int, error: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=_body(error), content_type="application/json")


class Bank:
    """What only the buyer and the merchant's own eyes can do at Stripe: cards, 3-D Secure, looking."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, **body: Any) -> Any:
        answer = await self._http.request(method, path, json=body or None)
        answer.raise_for_status()
        return answer.json()

    async def card(self, number: str = THREE_D_SECURE) -> str:
        card = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        return str((await self.call("POST", "/v1/payment_methods", type="card", card=card))["id"])

    async def authenticate(self, stripe_id: str, *, success: bool) -> None:
        found = await self.intent(stripe_id)
        path = f"/v1/payment_intents/{stripe_id}/_authenticate?success={success}"
        await self._http.post(path, json={"client_secret": found["client_secret"]})

    async def intent(self, stripe_id: str) -> Any:
        return await self.call("GET", f"/v1/payment_intents/{stripe_id}")

    async def intents(self) -> list[Any]:
        listed = await self.call("GET", "/v1/payment_intents?limit=100000")
        return list(listed["data"])

    async def intents_of(self, order_id: str) -> list[Any]:
        return [intent for intent in await self.intents() if intent["metadata"].get("order_id") == order_id]
