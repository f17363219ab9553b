"""A proxy that adds Stripe's idempotency, webhooks and faults to the double.

It behaves as Stripe is documented to (https://docs.stripe.com/api/idempotent_requests,
https://docs.stripe.com/error-low-level).
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, TypeAlias

import aiohttp
from aiohttp import web

from .stripe_webhooks import Webhooks

UNKNOWN_TO_THE_DOUBLE: Final = ("allowed_payment_method_types", "use_stripe_sdk", "cancellation_reason", "reason")
INTENT_CALL: Final = re.compile(r"/v1/payment_intents(/(?P<id>pi_\w+)(/\w+)?)?")
FORM: Final = "application/x-www-form-urlencoded"
NOT_BEGUN: Final = frozenset({401, 429})
"""Refused before the endpoint, so the response is not stored for the key."""

FaultKind: TypeAlias = Literal["lost", "silent", "crashed", "away", "refused", "held"]


@dataclass
class Call:
    """One request to Stripe."""

    method: str
    path: str
    key: str | None
    version: str | None
    form: list[tuple[str, str]]


@dataclass
class Fault:
    """The fault of the next `times` calls whose `METHOD /path` matches.

    `lost`: executed, then the connection breaks. `silent`: executed, no response. `crashed`: executed, 500, and this
    response is stored for its key, as Stripe does. `away`: not executed, 503. `refused`: not executed, this `error`
    with 4xx (or another `status`). `held`: executed after `release()`.
    """

    kind: FaultKind
    pattern: str
    times: int = 1
    error: dict[str, str] = field(default_factory=dict)
    status: int = 400
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Execute the held calls."""
        self.released.set()


class StripeProxy:
    """The proxy: idempotency, webhooks, and faults on demand.

    `before_answer`, if set, is awaited with the call and the response body between execution and response:
    the moment in which a webhook can arrive first.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.calls: list[Call] = []
        self.webhooks: Webhooks
        self.before_answer: Callable[[Call, Any], Awaitable[None]] | None = None
        self._faults: list[Fault] = []
        self._kept: dict[tuple[str, str], tuple[object, int, bytes]] = {}
        self._running: set[tuple[str, str]] = set()
        self._closing = asyncio.Event()
        self._session: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def start(cls, target: str, *, port: int = 0, chance: random.Random | None = None) -> AsyncIterator[Self]:
        """Serve on loopback in the running event loop, on a free port by default.

        `chance` selects the delays of webhooks, within the bounds of their endpoint.
        """
        proxy = cls(target)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        proxy.url = "http://{}:{}".format(*runner.addresses[0])
        proxy._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        proxy.webhooks = Webhooks(proxy._session, chance)
        try:
            yield proxy
        finally:
            proxy._closing.set()
            await proxy.webhooks.close()
            await runner.cleanup()
            await proxy._session.close()

    def fail(self, kind: FaultKind, pattern: str, times: int = 1, **details: Any) -> Fault:
        """Make the next `times` matching calls fail; `details` are other fields of `Fault`."""
        fault = Fault(kind, pattern, times, **details)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def made(self, pattern: str) -> list[Call]:
        """The calls whose `METHOD /path` matches."""
        return [call for call in self.calls if re.search(pattern, f"{call.method} {call.path}")]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        header = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        call = Call(request.method, request.path, header, request.headers.get("Stripe-Version"), form)
        self.calls.append(call)
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
        # A key belongs to one account: another account may use the same key.
        key = (request.headers.get("Authorization", ""), header) if header is not None else None
        replayed = {"Idempotent-Replayed": "true"} if key in self._kept else {}
        status, body = await self._once(request, key, form, crash=kind == "crashed")
        if self.before_answer is not None and not replayed:
            await self.before_answer(call, json.loads(body))
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
        self, request: web.Request, key: tuple[str, str] | None, form: list[tuple[str, str]], *, crash: bool
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
            if status not in NOT_BEGUN:
                self._kept[key] = (fingerprint, status, body)
            return status, body
        finally:
            self._running.discard(key)

    async def _forward(self, request: web.Request, form: list[tuple[str, str]]) -> tuple[int, bytes]:
        """Forward the call to the double, and send a webhook if the PaymentIntent changed."""
        headers = {name: request.headers[name] for name in ("Authorization",) if name in request.headers}
        data: list[tuple[str, str]] | bytes | None
        if request.content_type == FORM:
            data = [(name, value) for name, value in form if not name.startswith(UNKNOWN_TO_THE_DOUBLE)] or None
        else:
            data = await request.read() or None
            headers["Content-Type"] = request.content_type
        address = f"{self.target}{request.path_qs}"
        async with self._session.request(request.method, address, data=data, headers=headers) as answer:
            status, body = answer.status, await answer.read()
        intent_call = INTENT_CALL.fullmatch(request.path)
        if request.method == "POST" and intent_call and self.webhooks.endpoints:
            intent_id = intent_call["id"] or json.loads(body).get("id")
            if intent_id is not None:
                await self._send_webhook(intent_id)
        return status, body

    async def _send_webhook(self, intent_id: str) -> None:
        """Read the PaymentIntent, since the response can be an error (a declined card). The double accepts any key."""
        address = f"{self.target}/v1/payment_intents/{intent_id}"
        async with self._session.get(address, headers={"Authorization": "Bearer sk_proxy"}) as answer:
            if answer.ok:
                await self.webhooks.follow(await answer.json())


def _body(error: dict[str, str]) -> bytes:
    return json.dumps({"error": error}).encode()


def _error(status: int, error: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=_body(error), content_type="application/json")
