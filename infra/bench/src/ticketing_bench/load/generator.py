"""The load generator's other ways: all at once, one by one, or each buyer from hold to payment."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.generator import GeneratorRole
from ticketing_bench.measurement import percentile
from ticketing_bench.wire import Connections, http_request

CARD: Final = "pm_card_visa"
NOT_NOW: Final = frozenset({429, 503})
PAUSE_SECONDS: Final = 0.2
GIVE_UP_SECONDS: Final = 60.0


class LoadRole(GeneratorRole):
    """All parts are asked by the same process; how much processor it takes is in every answer."""

    async def burst(self, port: int, requests: Sequence[str], pids: Mapping[str, int]) -> dict[str, Any]:
        """All buyers send one request at the same moment, each over a separate connection.

        A buyer with a Retry-After tries again; a latency counts from the first attempt to the final response.
        """
        times: dict[int, list[float]] = {}
        again, last_won = 0, 0.0

        async def ask(request: bytes) -> None:
            nonlocal again, last_won
            while True:
                status, _ = await opened.ask(request)
                now = time.monotonic() - begun
                if status not in NOT_NOW or now > GIVE_UP_SECONDS:
                    break
                again += 1
                await asyncio.sleep(PAUSE_SECONDS)
            times.setdefault(status, []).append(now)
            if status == 201:
                last_won = now

        async with Connections(port) as opened:
            await opened.open(len(requests))
            encoded = [request.encode() for request in requests]
            processors = CpuTime(self.NAME, pids)
            begun = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for request in encoded:
                    group.create_task(ask(request))
            cores = processors.cores()
        lost = times.get(409, [])
        return {
            "statuses": {status: len(values) for status, values in times.items()},
            "won_seconds": last_won,
            "lost_p50_ms": percentile(lost, 0.5) * 1000 if lost else 0.0,
            "lost_p99_ms": percentile(lost, 0.99) * 1000 if lost else 0.0,
            "again": again,
            "cpu": cores,
        }

    async def one_by_one(self, port: int, requests: Sequence[str]) -> dict[str, Any]:
        """One request after another, over one connection; milliseconds each."""
        statuses: Counter[int] = Counter()
        times: list[float] = []
        async with Connections(port) as opened:
            await opened.open(1)
            for request in [one.encode() for one in requests]:
                begun = time.monotonic()
                status, _ = await opened.ask(request)
                statuses[status] += 1
                times.append((time.monotonic() - begun) * 1000)
        return {"statuses": dict(statuses), "p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}

    async def buy(
        self,
        orders_ports: Sequence[int],
        payments_port: int,
        buys: Sequence[Sequence[str]],
        at_once: int,
        pids: Mapping[str, int],
    ) -> dict[str, Any]:
        """Each buyer (token, ticket) holds and pays, so many at once; `begun` is on CLOCK_MONOTONIC, seconds."""
        statuses: Counter[str] = Counter()
        following = iter(buys)
        async with Connections(*orders_ports) as orders, Connections(payments_port) as payments:

            async def keep_buying() -> None:
                for token, ticket in following:
                    status, order = await orders.ask(_post("/api/orders", token, {"ticketId": ticket}))
                    statuses[f"hold {status}"] += 1
                    body = {"orderId": json.loads(order)["id"], "paymentMethodId": CARD}
                    status, _ = await payments.ask(_post("/api/payments", token, body))
                    statuses[f"pay {status}"] += 1

            await orders.open(at_once)
            await payments.open(at_once)
            processors = CpuTime(self.NAME, pids)
            begun = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(keep_buying())
            cores = processors.cores()
        return {"statuses": dict(statuses), "begun": begun, "cpu": cores}


def _post(path: str, token: str, body: object) -> bytes:
    return http_request("POST", path, token=token, body=body).encode()
