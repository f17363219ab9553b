"""A list that is cached, and a database that may be away."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ticketing_common.resilience import time_left
from ticketing_common.web.change_counter import ChangeCounter
from ticketing_common.web.response_cache import ResponseCache, ResponseCacheMiddleware


class Shop:
    """A list that counts how often it was computed, and can be delayed meanwhile."""

    def __init__(self) -> None:
        self.made = 0
        self.calls = 0
        self.left: float | None = None
        self.away: Exception | None = None
        self.status = 200
        self.receiving = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.changes = ChangeCounter()
        self.changes.valid_while(lambda: self.receiving)
        self.routes = Starlette(routes=[Route("/list", self.listed), Route("/other", self.listed)])
        self.app = ResponseCacheMiddleware(
            self.call,
            service="shop",
            path="/list",
            cache=ResponseCache(self.changes),
        )

    async def call(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        if self.away is not None:
            raise self.away
        await self.routes(scope, receive, send)

    async def listed(self, request: Request) -> JSONResponse:
        self.made += 1
        self.left = time_left()
        made = self.made
        await self.gate.wait()
        headers = {"Link": "</list?cursor=x>", "Set-Cookie": "of=one caller"}
        return JSONResponse({"made": made}, self.status, headers)
