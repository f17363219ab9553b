"""The driver that the services use, and its successor: the same calls from one loop to the same database."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeAlias

from pymongo import AsyncMongoClient

from ticketing_bench.measurement import Measurement
from ticketing_bench.processor_time import ProcessorTime
from ticketing_bench.worker import Role, Worker
from ticketing_common.entity import new_id
from ticketing_common.storage import WITHOUT_EVENTS, Document, connect

from .rounds import Answer, Bench, Contender
from .stock import CATALOGUE, PLAIN

__all__ = ["AsyncClient", "DriversRole", "connect_async", "measure_drivers"]

AsyncClient: TypeAlias = "AsyncMongoClient[Document]"


def connect_async(url: str, *, application: str) -> AsyncClient:
    """PyMongo's own async client, with what `ticketing_common.storage.connect` asks of Motor."""
    return AsyncMongoClient(
        url,
        appname=application,
        tz_aware=True,
        w="majority",
        journal=True,
        readConcernLevel="local",
        retryReads=True,
        retryWrites=True,
        maxPoolSize=50,
        serverSelectionTimeoutMS=3_000,
        connectTimeoutMS=3_000,
        socketTimeoutMS=10_000,
        waitQueueTimeoutMS=2_000,
    )


class DriversRole(Role):
    """Both drivers in one process, one after the other."""

    NAME: ClassVar[str] = "caller"

    async def open(self) -> None:
        """The seam's client, and its possible successor."""
        url = self.urls["mongo_url"]
        self._motor = connect(url, application="bench-motor")
        self._pymongo = connect_async(url, application="bench-pymongo")

    async def close(self) -> None:
        """Leave the database."""
        self._motor.close()
        await self._pymongo.close()

    async def find(self, driver: str, ids: Sequence[str], calls: int, seconds: float) -> dict[str, Any]:
        """`find_one` by id, so many calls at a time."""
        collection = self._database(driver, CATALOGUE)["tickets"]
        following = itertools.cycle(ids)

        async def one() -> None:
            if await collection.find_one({"_id": next(following)}, WITHOUT_EVENTS) is None:
                raise LookupError("a document is not there")

        return await self._repeat(one, calls, seconds)

    async def insert(self, driver: str, ids: Sequence[str], calls: int, seconds: float) -> dict[str, Any]:
        """`insert_one` of a copy of the first of these, acknowledged as every write of the services."""
        pattern = await self._database(driver, CATALOGUE)["tickets"].find_one({"_id": ids[0]})
        copies = self._database(driver, PLAIN)["copies"]

        async def one() -> None:
            await copies.insert_one({**pattern, "_id": new_id()})

        return await self._repeat(one, calls, seconds)

    def _database(self, driver: str, name: str) -> Any:
        return (self._motor if driver == "motor" else self._pymongo)[name]

    async def _repeat(self, call: Callable[[], Awaitable[None]], calls: int, seconds: float) -> dict[str, Any]:
        done = 0

        async def keep_calling() -> None:
            nonlocal done
            while time.monotonic() < deadline:
                await call()
                done += 1

        processors = ProcessorTime(self.NAME, self.pids)
        begun = time.monotonic()
        deadline = begun + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                group.create_task(keep_calling())
        return {"rate": done / (time.monotonic() - begun), "cpu": processors.cores()}


def measure_drivers(bench: Bench, ids: Sequence[str]) -> list[Measurement]:
    """What Motor's threads cost, for a read and for a write; `ids` are the catalogue's."""
    with Worker(DriversRole, urls=bench.house.urls, pids=bench.house.pids) as worker:

        def contender(driver: str, name: str, order: str) -> Contender:
            def measure(seconds: float) -> Answer:
                return worker.ask(order, driver=driver, ids=list(ids), calls=bench.connections, seconds=seconds)

            return Contender(name, measure, process=DriversRole.NAME)

        return [
            measurement
            for order in ("find", "insert")
            for measurement in bench.compare_costs(
                f"Motor, {order}_one",
                contender("motor", "Motor", order),
                contender("pymongo", "PyMongo's async client", order),
                question="What does the driver of the services cost beside its successor?",
                unit="calls/s",
                note=f"{bench.connections} at a time, in one event loop, with the same settings",
            )
        ]
