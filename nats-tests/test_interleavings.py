"""Any interleaving of duplicated, reordered and dropped-then-resynced events ends in the same projection.

A scenario has few kinds of steps: the owner commits the next version of a ticket, or publishes its present state again;
the network delivers, duplicates or loses one of the messages in flight. At the end the owner replaces lost messages, as
`ticketing resync` does, and the messages in flight arrive in any order. Hypothesis searches for a scenario after which
the projection differs from the owner. Two projections that look correct at first show that the search finds such a
scenario if one exists.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from ticketing_common.entity import new_id
from ticketing_common.events import TicketData, TicketStatus
from ticketing_common.storage import Database, DatabaseClient, Projection, connect
from ticketing_orders.repository import TicketProjection

TICKETS = 3
START = datetime(2026, 11, 23, tzinfo=UTC)

Step: TypeAlias = tuple[str, int]
Scenario: TypeAlias = tuple[list[Step], list[int]]
"""The steps, and the order of arrival at the end: indexes of the next message in flight, modulo their number."""

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("commit"), st.integers(0, TICKETS - 1)),
    st.tuples(st.sampled_from(["deliver", "double", "lose"]), st.integers(0, 9)),
    st.just(("resync", 0)),
)
SCENARIOS: st.SearchStrategy[Scenario] = st.tuples(
    st.lists(STEPS, max_size=30), st.lists(st.integers(0, 9), max_size=30)
)


class Owner:
    """The owner of the tickets, which publishes their states."""

    def __init__(self) -> None:
        self.tickets: dict[int, TicketData] = {}
        self._ids = [new_id() for _ in range(TICKETS)]  # new ids for every scenario, because all share one collection

    def commit(self, number: int) -> TicketData:
        version = self.tickets[number].version + 1 if number in self.tickets else 1
        self.tickets[number] = TicketData(
            id=self._ids[number],
            version=version,
            title=f"Seat {number}, version {version}",
            description=None,
            venue=None if version % 2 else "Opera",  # an optional field
            starts_at=None,
            price_cents=100 * version,
            currency="usd",
            user_id="5e11e4" * 4,
            order_id=None,
            status=TicketStatus.AVAILABLE,
            created_at=START,
        )
        return self.tickets[number]


async def play(
    scenario: Scenario, projection: Projection[TicketData]
) -> tuple[list[TicketData], list[TicketData | None]]:
    """Run a scenario; returns the final states of the owner and of the projection."""
    steps, order = scenario
    owner, under_way, lost = Owner(), list[TicketData](), False
    for kind, number in steps:
        if kind == "commit":
            under_way.append(owner.commit(number))
        elif kind == "resync":
            under_way += owner.tickets.values()
            lost = False
        elif under_way:
            index = number % len(under_way)
            if kind == "double":
                under_way.append(under_way[index])
                continue
            message = under_way.pop(index)
            if kind == "deliver":
                await projection.apply(message)
            else:
                lost = True
    if lost:
        under_way += owner.tickets.values()
    for number in order + [0] * len(under_way):
        if under_way:
            await projection.apply(under_way.pop(number % len(under_way)))
    truth = list(owner.tickets.values())
    return truth, [await projection.find(ticket.id) for ticket in truth]


class LastWriteWins(TicketProjection):
    """Applies every event."""

    async def apply(self, data: TicketData) -> TicketData:
        await self.collection.replace_one({"_id": data.id}, data.model_dump(exclude={"id"}), upsert=True)
        return data


class OnlyTheNext(TicketProjection):
    """Applies a version only directly after the one before it, and so never goes back."""

    async def apply(self, data: TicketData) -> TicketData:
        known = await self.find(data.id)
        if data.version != (known.version if known else 0) + 1:
            return known or data
        return await super().apply(data)


@contextmanager
def scenarios(
    mongo_url: str, database_name: str, projection: type[TicketProjection]
) -> Iterator[Callable[[Scenario], bool]]:
    """A check whether a scenario ends with equal states, on a real MongoDB, in one event loop for all scenarios."""
    with asyncio.Runner() as runner:

        async def begin() -> tuple[DatabaseClient, TicketProjection]:
            client = connect(mongo_url, application="test")
            database: Database = client[database_name]
            return client, projection(database["tickets"])

        client, projected = runner.run(begin())

        def ends_in_the_truth(scenario: Scenario) -> bool:
            truth, held = runner.run(play(scenario, projected))
            return truth == held

        try:
            yield ends_in_the_truth
        finally:
            client.close()


def test_every_scenario_ends_with_the_state_of_the_owner(mongo_url: str, database_name: str) -> None:
    with scenarios(mongo_url, database_name, TicketProjection) as ends_in_the_truth:

        @settings(max_examples=150, deadline=None)
        @given(SCENARIOS)
        def check(scenario: Scenario) -> None:
            assert ends_in_the_truth(scenario)

        check()


@pytest.mark.parametrize("naive", [LastWriteWins, OnlyTheNext])
def test_the_search_finds_a_scenario_that_breaks_a_naive_projection(
    mongo_url: str, database_name: str, naive: type[TicketProjection]
) -> None:
    search: dict[str, Any] = {"max_examples": 500, "deadline": None, "database": None, "derandomize": True}
    with scenarios(mongo_url, database_name, naive) as ends_in_the_truth:
        undone = find(
            SCENARIOS,
            lambda scenario: not ends_in_the_truth(scenario),
            settings=settings(**search, phases=[Phase.generate]),  # any failing scenario is enough, so no shrinking
        )

    with scenarios(mongo_url, database_name, TicketProjection) as ends_in_the_truth:
        assert ends_in_the_truth(undone)
