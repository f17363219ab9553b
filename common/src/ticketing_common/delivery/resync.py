"""Resync: republishes the current state of every aggregate, so that incomplete projections become complete."""

import asyncio
from typing import Final, Generic, TypeVar

from nats.aio.msg import Msg

from ticketing_common.entity import Entity
from ticketing_common.errors import UNREADABLE_DOCUMENT
from ticketing_common.messaging import NatsConnection
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.storage import Repository
from ticketing_common.storage.repository import Publisher
from ticketing_common.telemetry import get_logger

from .operator_command import OperatorRequests

log = get_logger(__name__)

E = TypeVar("E", bound=Entity)

REPORT_EVERY: Final = 1_000


def resync_subject(service: str) -> str:
    """The core NATS subject on which the owner of the aggregates receives resync requests."""
    return f"resync.{service}"


class Resync(OperatorRequests, Generic[E]):
    """Answers resync requests; a replica runs one at a time.

    The events pass through the outbox like all others, with the aggregate's current version. Traffic continues
    meanwhile, and projections that are up to date ignore the events.
    """

    def __init__(
        self, connection: NatsConnection, repository: Repository[E], publish: Publisher[E], *, service: str
    ) -> None:
        super().__init__(connection, resync_subject(service), service=service)
        self._repository = repository
        self._publish = publish
        self._task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Unsubscribe, and cancel a running resync: the operator can request it again."""
        await super().stop()
        await cancel_and_wait(self._task)

    async def _on_request(self, request: Msg) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(request))
        else:
            await self._answer(request, done=True, error="a resync is already running")

    async def _run(self, request: Msg) -> None:
        """Republish everything; reports progress after every thousand aggregates, and at the end."""
        count = failed = 0
        unreadable = self._repository.unreadable
        try:
            async for entity in self._repository.walk():
                try:
                    # If the aggregate changed meanwhile, that change published its own event.
                    count += await self._repository.republish(entity, self._publish)
                except UNREADABLE_DOCUMENT:
                    failed += 1  # its event cannot be made, and a retry does not help; continue with the others
                    log.exception("resync skipped an aggregate", entity_id=entity.id)
                    continue
                if count and count % REPORT_EVERY == 0:
                    await self._answer(request, done=False, restated=count)
        except Exception as error:
            log.exception("resync failed", restated=count)
            await self._answer(request, done=True, restated=count, error=repr(error))
            return
        failed += self._repository.unreadable - unreadable
        if failed:
            log.error("resync done, some aggregates skipped", restated=count, left_out=failed)
            await self._answer(request, done=True, restated=count, error=f"{failed} left out, see the service's log")
            return
        log.info("resync done", restated=count)
        await self._answer(request, done=True, restated=count)
