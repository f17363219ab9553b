import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from motor.motor_asyncio import AsyncIOMotorClient

from ticketing_common.entity import new_id
from ticketing_common.errors import UnavailableError
from ticketing_common.events import EventData, ExpirationData
from ticketing_common.storage import Database, Projection, connect

START = datetime(2026, 11, 23, tzinfo=UTC)


def state(aggregate_id: str, version: int, order_id: str | None = None) -> ExpirationData:
    return ExpirationData(
        id=aggregate_id,
        version=version,
        order_id=order_id or f"order-{version}",
        expires_at=START + timedelta(seconds=version),
    )


def projection(database: Database) -> Projection[ExpirationData]:
    return Projection(database["projected"], ExpirationData)


async def test_the_first_state_is_stored_whatever_its_version(database: Database) -> None:
    seventh = state(new_id(), 7)
    assert await projection(database).apply(seventh) == seventh
    assert await projection(database).find(seventh.id) == seventh
    assert await projection(database).find(new_id()) is None


async def test_an_older_state_changes_nothing_and_the_newer_is_returned(database: Database) -> None:
    projected, aggregate_id = projection(database), new_id()
    newer = state(aggregate_id, 5)
    await projected.apply(newer)

    assert await projected.apply(state(aggregate_id, 4)) == newer
    assert await projected.find(aggregate_id) == newer


async def test_an_equal_version_returns_the_stored_state(database: Database) -> None:
    projected, aggregate_id = projection(database), new_id()
    first = state(aggregate_id, 2, "first")
    await projected.apply(first)

    assert await projected.apply(state(aggregate_id, 2, "second")) == first


async def test_states_of_different_aggregates_are_applied_together_and_each_if_newer(database: Database) -> None:
    projected = projection(database)
    unknown, older, equal, newer = (state(new_id(), 3) for _ in range(4))
    stored = {"older": state(older.id, 5), "equal": state(equal.id, 3, "first"), "newer": state(newer.id, 2)}
    for one in stored.values():
        await projected.apply(one)
    waiting = asyncio.create_task(projected.wait_for(unknown.id, seconds=60))

    applied = await projected.apply_all([unknown, older, equal, newer])

    assert applied == [unknown, stored["older"], stored["equal"], newer]
    assert [await projected.find(one.id) for one in applied] == applied
    assert await waiting == unknown


async def test_many_states_that_are_known_already_cost_a_few_commands(database: Database) -> None:
    projected, known = projection(database), [state(new_id(), 2) for _ in range(40)]
    await projected.apply_all(known)
    await database.command("profile", 2)

    assert await projected.apply_all([state(one.id, 1) for one in known]) == known

    await database.command("profile", 0)
    assert await database["system.profile"].count_documents({"op": "query"}) < 10


@pytest.mark.parametrize("caught_up", [True, False])
async def test_an_unknown_aggregate_is_absent_only_once_all_events_are_applied(
    database: Database, caught_up: bool
) -> None:
    async def is_caught_up() -> bool:
        return caught_up

    projected, known = Projection(database["projected"], ExpirationData, is_caught_up), state(new_id(), 1)
    await projected.apply(known)

    assert await projected.wait_for(known.id, seconds=0) == known
    if caught_up:
        assert await projected.wait_for(new_id(), seconds=0) is None
    else:
        with pytest.raises(UnavailableError) as refusal:
            await projected.wait_for(new_id(), seconds=0)
        assert refusal.value.retry_after_seconds > 0


async def test_an_event_that_arrives_while_the_progress_is_asked_is_found(database: Database) -> None:
    late = state(new_id(), 1)

    async def is_caught_up() -> bool:
        await projection(database).apply(late)  # by another replica
        return False

    assert await Projection(database["projected"], ExpirationData, is_caught_up).wait_for(late.id, seconds=0) == late


class Listing(EventData):
    title: str
    quantity: int = 1


async def test_an_event_without_a_younger_field_leaves_what_is_stored(database: Database) -> None:
    """During a roll-out, replicas of the earlier version publish changes without the fields that they do not know."""
    projected, aggregate_id = Projection(database["projected"], Listing), new_id()
    await projected.apply(Listing(id=aggregate_id, version=1, title="first", quantity=200))
    await projected.apply(Listing.model_validate({"id": aggregate_id, "version": 2, "title": "second"}))
    assert await projected.find(aggregate_id) == Listing(id=aggregate_id, version=2, title="second", quantity=200)


async def test_a_newer_state_replaces_all_of_the_older(database: Database) -> None:
    projected, aggregate_id = projection(database), new_id()
    await projected.apply(state(aggregate_id, 1))
    newer = state(aggregate_id, 9)

    assert await projected.apply(newer) == newer
    assert await database["projected"].count_documents({}) == 1


@pytest.mark.parametrize("replicas", [1, 2, 8])
async def test_first_events_that_race_leave_the_newest(database: Database, replicas: int) -> None:
    """One replica's writes share a command; those of several replicas race in the database."""
    projected = [projection(database) for _ in range(replicas)]
    for _ in range(20):
        aggregate_id = new_id()
        results = await asyncio.gather(
            *(projected[version % replicas].apply(state(aggregate_id, version)) for version in range(1, 9))
        )

        assert await projected[0].find(aggregate_id) == state(aggregate_id, 8)
        assert all(result.version >= version for version, result in enumerate(results, 1))


def test_any_interleaving_of_duplicates_and_gaps_ends_in_the_newest(mongo_url: str, database_name: str) -> None:
    """Applies each batch concurrently, and the batches in order, as several consumers would."""
    with asyncio.Runner() as runner:
        client: AsyncIOMotorClient[dict[str, object]] = runner.run(_client(mongo_url))
        projected = projection(client[database_name])

        @settings(max_examples=60, deadline=None)
        @given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=6), max_size=5))
        def check(batches: list[list[tuple[int, int]]]) -> None:
            ids = [new_id() for _ in range(3)]

            async def deliver() -> None:
                newest: dict[str, int] = {}
                for batch in batches:
                    events = [state(ids[aggregate], version) for aggregate, version in batch]
                    results = await asyncio.gather(*map(projected.apply, events))
                    before = dict(newest)
                    for event in events:
                        newest[event.id] = max(newest.get(event.id, 0), event.version)
                    for event, result in zip(events, results, strict=True):
                        # Never behind the event, nor behind what was known before, nor ahead of what is known now.
                        assert max(event.version, before.get(event.id, 0)) <= result.version <= newest[event.id]
                        assert result == state(event.id, result.version)
                    for aggregate_id, version in newest.items():
                        assert await projected.find(aggregate_id) == state(aggregate_id, version)

            runner.run(deliver())

        try:
            check()
        finally:
            client.close()


async def _client(url: str) -> AsyncIOMotorClient[dict[str, object]]:
    return connect(url, application="test")
