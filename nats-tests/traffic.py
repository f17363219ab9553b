"""Writers that continuously list, edit and delete tickets, and record each acknowledged state in the ledger."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import httpx
from ledger import Ledger
from parts import PublishingService

from ticketing_common.entity import new_id
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.events import TicketData, TicketStatus
from ticketing_testkit.apps import Identity
from ticketing_tickets.domain import TicketDetails
from ticketing_tickets.publishers import ticket_changed

__all__ = ["DirectTickets", "HttpTickets", "TicketWriter", "Traffic", "flowing"]

WRITERS: Final = 4
PAUSE_SECONDS: Final = 0.01
"""Between two commits of one writer: about a hundred commits a second in total, which two cores can handle."""
BUSY_TICKETS: Final = 8
"""Edited by all writers, so that commits race; the others have one writer each."""
SELLER: Final = "5e11e4" * 4


class TicketWriter(Protocol):
    """How the traffic changes tickets; each method returns the stored state."""

    async def create(self, details: TicketDetails) -> TicketData: ...

    async def edit(self, ticket_id: str, details: TicketDetails) -> TicketData: ...

    async def delete(self, ticket: TicketData) -> TicketData: ...


class DirectTickets:
    """The use cases of the tickets service, called directly."""

    def __init__(self, publisher: PublishingService) -> None:
        self._publisher = publisher

    async def create(self, details: TicketDetails) -> TicketData:
        return ticket_changed(await self._publisher.service.create(SELLER, details)).data

    async def edit(self, ticket_id: str, details: TicketDetails) -> TicketData:
        return ticket_changed(await self._publisher.service.edit(ticket_id, SELLER, details)).data

    async def delete(self, ticket: TicketData) -> TicketData:
        await self._publisher.service.delete(ticket.id, SELLER)
        tombstone = await self._publisher.tickets.find(ticket.id)
        assert tombstone is not None
        return ticket_changed(tombstone).data


class HttpTickets:
    """The tickets service over HTTP: a change counts as committed when its response says so."""

    def __init__(self, client: httpx.AsyncClient, identity: Identity) -> None:
        self._client = client
        self._headers = identity.headers(SELLER)

    async def create(self, details: TicketDetails) -> TicketData:
        return self._stored(
            await self._client.post("/api/tickets", json=self._body(details), headers=self._headers), 201
        )

    async def edit(self, ticket_id: str, details: TicketDetails) -> TicketData:
        path = f"/api/tickets/{ticket_id}"
        return self._stored(await self._client.put(path, json=self._body(details), headers=self._headers), 200)

    async def delete(self, ticket: TicketData) -> TicketData:
        answer = await self._client.delete(f"/api/tickets/{ticket.id}", headers=self._headers)
        assert answer.status_code == 204, answer.text
        gone = {"version": ticket.version + 1, "status": TicketStatus.DELETED, "available": 0}
        return ticket.model_copy(update=gone)

    @staticmethod
    def _body(details: TicketDetails) -> dict[str, Any]:
        return {"title": details.title, "price": details.price_cents / 100, "venue": details.venue}

    @staticmethod
    def _stored(answer: httpx.Response, status: int) -> TicketData:
        if answer.status_code == ConcurrentUpdateError.status:
            raise ConcurrentUpdateError
        assert answer.status_code == status, answer.text
        body = answer.json()
        renamed = {"starts_at": body["startsAt"], "user_id": body["userId"], "created_at": body["createdAt"]}
        return TicketData.model_validate(
            {**body, **renamed, "price_cents": round(body["price"] * 100), "order_id": None}
        )


class Traffic:
    """The running writers; `more` waits for their commits."""

    def __init__(self, writer: TicketWriter, ledger: Ledger) -> None:
        self._writer = writer
        self._ledger = ledger
        self._committed = asyncio.Condition()
        self._busy: list[TicketData] = []
        self._number = 0
        self._ending = False

    async def more(self, commits: int, seconds: float = 60.0) -> None:
        """Return after this many further commits; raises TimeoutError when the writers are blocked."""
        target = len(self._ledger) + commits
        async with asyncio.timeout(seconds), self._committed:
            await self._committed.wait_for(lambda: len(self._ledger) >= target)

    def end(self) -> None:
        """Finish the current commits and make no more. No writer is cancelled: a commit whose response it had not
        received would be missing in the ledger.
        """
        self._ending = True

    async def open(self) -> None:
        """List the tickets that all writers edit."""
        self._busy = [await self._noted(await self._writer.create(self._details())) for _ in range(BUSY_TICKETS)]

    async def write(self, chance: random.Random) -> None:
        """Run one writer until `end`; a race that it loses is refused and is no commit."""
        own: list[TicketData] = []
        while not self._ending:
            try:
                await self._commit(own, chance)
            except ConcurrentUpdateError:
                continue
            await asyncio.sleep(PAUSE_SECONDS * 2 * chance.random())

    async def _commit(self, own: list[TicketData], chance: random.Random) -> None:
        kind = chance.random()
        if kind < 0.3 or not own:
            own.append(await self._noted(await self._writer.create(self._details())))
        elif kind < 0.6:
            await self._noted(await self._writer.edit(chance.choice(self._busy).id, self._details()))
        elif kind < 0.9:
            index = chance.randrange(len(own))
            own[index] = await self._noted(await self._writer.edit(own[index].id, self._details()))
        else:
            await self._noted(await self._writer.delete(own.pop(chance.randrange(len(own)))))

    def _details(self) -> TicketDetails:
        """Never the same twice: an edit that changes nothing is no commit."""
        self._number += 1
        return TicketDetails(title=f"Seat {self._number}", price_cents=100 + self._number, venue=f"Hall {new_id()}")

    async def _noted(self, state: TicketData) -> TicketData:
        self._ledger.note(state)
        async with self._committed:
            self._committed.notify_all()
        return state


@asynccontextmanager
async def flowing(writer: TicketWriter, ledger: Ledger) -> AsyncIterator[Traffic]:
    """Run traffic while the block runs; an error of a writer ends the block."""
    traffic = Traffic(writer, ledger)
    await traffic.open()
    async with asyncio.TaskGroup() as group:
        for seed in range(WRITERS):
            group.create_task(traffic.write(random.Random(seed)))  # noqa: S311 (repeatable, not secret)
        try:
            yield traffic
        finally:
            traffic.end()
