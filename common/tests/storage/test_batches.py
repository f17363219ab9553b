"""Concurrent operations share a command, and each has its own outcome."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.trace import StatusCode
from pymongo.errors import AutoReconnect

from ticketing_common.batching import Batcher, Operation
from ticketing_common.entity import new_id
from ticketing_common.resilience import PER_ITERATION, background
from ticketing_common.storage import Database, DuplicateKeyError, connect, disconnect
from ticketing_common.storage.batches import batched_find, batched_insert, batched_lists, batched_write
from ticketing_common.storage.mongo import DatabaseError, UpdateOne
from ticketing_common.telemetry import recording_provider
from ticketing_testkit.spans import recorded_spans


class Gate:
    """Blocks until it is opened, and records which operations came together."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.batches: list[list[Any]] = []

    async def __call__(self, items: Sequence[Any]) -> list[Any]:
        self.batches.append(list(items))
        await self.opened.wait()
        return [item if item != "bad" else ValueError("bad") for item in items]


def batcher_of(outcomes: Any, **limits: int) -> Batcher[Any, Any]:
    return Batcher(outcomes, Operation("somewhere.do", {}), of_all=DatabaseError, **limits)


async def settled() -> None:
    """Run the event loop until all tasks wait."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_few_calls_of_the_background_continue_in_one_turn_of_the_event_loop(gate: Gate) -> None:
    batcher = batcher_of(gate, max_in_flight=1)
    done: list[int] = []

    async def call(number: int) -> None:
        done.append(await batcher(number))

    with background():
        calls = [asyncio.create_task(call(number)) for number in range(50)]
    await settled()
    gate.opened.set()
    continued = [0]
    while continued[-1] < 50:
        await asyncio.sleep(0)
        continued.append(len(done))

    assert max(after - before for before, after in pairwise(continued)) <= PER_ITERATION
    assert done == list(range(50))
    await asyncio.gather(*calls)


async def test_the_first_call_is_sent_at_once_and_later_calls_share_a_command(gate: Gate) -> None:
    batcher = batcher_of(gate, max_in_flight=1)
    first = asyncio.create_task(batcher("first"))
    await settled()
    assert gate.batches == [["first"]]
    others = [asyncio.create_task(batcher(n)) for n in range(5)]
    await settled()
    assert gate.batches == [["first"]], "they wait"
    gate.opened.set()
    assert await asyncio.gather(first, *others) == ["first", 0, 1, 2, 3, 4]
    assert gate.batches == [["first"], [0, 1, 2, 3, 4]]


async def test_no_command_exceeds_the_maximum_batch_size(gate: Gate) -> None:
    gate.opened.set()
    batcher = batcher_of(gate, max_in_flight=1, max_batch_size=2)
    assert await asyncio.gather(*(batcher(n) for n in range(5))) == [0, 1, 2, 3, 4]
    assert gate.batches == [[0, 1], [2, 3], [4]]


async def test_an_error_of_one_operation_is_raised_to_its_caller_only(gate: Gate) -> None:
    gate.opened.set()
    batcher = batcher_of(gate)
    outcomes = await asyncio.gather(*map(batcher, ("good", "bad")), return_exceptions=True)
    good, bad = outcomes
    assert good == "good"
    assert isinstance(bad, ValueError)


async def test_a_cancelled_queued_call_is_not_sent(gate: Gate) -> None:
    batcher = batcher_of(gate, max_in_flight=1)
    first, gone, stays = [asyncio.create_task(batcher(name)) for name in ("first", "gone", "stays")]
    await settled()
    assert gate.batches == [["first", "gone", "stays"]]
    late = asyncio.create_task(batcher("late"))
    later = asyncio.create_task(batcher("later"))
    await settled()
    late.cancel()
    gone.cancel()
    await settled()
    gate.opened.set()
    assert await asyncio.gather(*[first, stays, later]) == ["first", "stays", "later"]
    assert gate.batches[1:] == [["later"]]


async def test_requests_and_the_background_are_queued_separately(gate: Gate) -> None:
    batcher = batcher_of(gate, max_in_flight=1)
    request = asyncio.create_task(batcher("request"))
    await settled()
    with background():
        event = asyncio.create_task(batcher("event"))
    await settled()
    assert gate.batches == [["request"], ["event"]]
    gate.opened.set()
    await asyncio.gather(request, event)


async def test_each_recorded_trace_has_a_span_and_a_shared_command_has_none(mongo_url: str, database_name: str) -> None:
    """A span of the command itself would start an unrelated trace."""
    with recorded_spans() as spans:
        client = connect(mongo_url, application="test")
        insert = batched_insert(client[database_name]["things"])
        provider = recording_provider()
        assert provider is not None
        tracer = provider.get_tracer("test")

        async def recorded(number: int) -> str:
            with tracer.start_as_current_span("asks") as span:
                await insert({"_id": number})
                return f"{span.get_span_context().trace_id:032x}"

        *traces, _ = await asyncio.gather(recorded(1), recorded(2), insert({"_id": 3}))
        for trace_id in traces:
            inserted, asks = spans.of(trace_id)
            assert inserted.parent is not None
            assert inserted.attributes is not None
            assert (inserted.name, inserted.parent.span_id) == (f"{database_name}.insert", asks.context.span_id)
            assert inserted.attributes["db.collection.name"] == "things"
        assert len(spans.all()) == 4

        with pytest.raises(DuplicateKeyError):
            await recorded(1)
        refused, _ = spans.all()[4:]
        assert (refused.status.status_code, refused.status.description) == (StatusCode.ERROR, "DuplicateKeyError")
        await disconnect(client, seconds=5)


async def test_an_outage_fails_all_calls_of_a_batch_and_the_next_succeeds() -> None:
    answers: list[Any] = [AutoReconnect("away")]

    async def outcomes(items: Sequence[str]) -> list[str]:
        if answers:
            raise answers.pop()
        return list(items)

    batcher = batcher_of(outcomes)
    assert [type(one) for one in await asyncio.gather(batcher("a"), batcher("b"), return_exceptions=True)] == [
        AutoReconnect,
        AutoReconnect,
    ]
    assert await batcher("c") == "c"


async def test_the_end_of_the_loop_cancels_waiting_calls(gate: Gate) -> None:
    batcher = batcher_of(gate, max_in_flight=1)
    first, second = asyncio.create_task(batcher("first")), asyncio.create_task(batcher("second"))
    await settled()
    third = asyncio.create_task(batcher("third"))
    await settled()
    for task in batcher._lines.requests._tasks:
        task.cancel()
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(first, second, third, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 3
    gate.opened.set()
    assert await batcher("fourth") == "fourth"


# --- over a real database -------------------------------------------------------------------------------------------


async def test_of_many_inserts_each_knows_whether_it_was_the_duplicate(database: Database) -> None:
    insert = batched_insert(database["things"])
    await insert({"_id": 0})
    outcomes = await asyncio.gather(*(insert({"_id": n % 7}) for n in range(14)), return_exceptions=True)
    refused = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, DuplicateKeyError)]
    assert refused == [0, 7, 8, 9, 10, 11, 12, 13]
    duplicate = outcomes[7]
    assert isinstance(duplicate, DuplicateKeyError)
    assert duplicate.details is not None
    assert "_id" in duplicate.details["keyPattern"], "as the driver says it of one"
    assert await database["things"].count_documents({}) == 7


async def test_a_document_that_cannot_be_encoded_does_not_fail_the_others(database: Database) -> None:
    insert = batched_insert(database["things"])
    documents = [{"_id": n, "number": 2**70 if n == 3 else n} for n in range(6)]
    outcomes = await asyncio.gather(*map(insert, documents), return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [3]
    assert isinstance(outcomes[3], OverflowError)
    assert await database["things"].count_documents({}) == 5


async def test_many_finds_by_id_share_one_query(database: Database) -> None:
    ids = [new_id() for _ in range(150)]
    await database["things"].insert_many([{"_id": one, "name": f"thing {one}", "secret": 1} for one in ids])
    find = batched_find(database["things"], {"secret": 0})
    found = await asyncio.gather(*map(find, [*ids, ids[0], new_id()]))
    assert found == [{"_id": one, "name": f"thing {one}"} for one in [*ids, ids[0]]] + [None]


async def test_many_lists_share_one_query_and_are_separated(database: Database) -> None:
    things = [{"_id": n, "owner": {"id": f"owner-{n % 3}"}, "gone": n == 0, "secret": 1} for n in range(9)]
    await database["things"].insert_many(things)
    lists = batched_lists(database["things"], "owner.id", {"gone": False}, {"secret": 0})
    asked = ["owner-0", "owner-2", "unknown", "owner-0"]
    found = await asyncio.gather(*map(lists, asked))
    assert [sorted(one["_id"] for one in owned) for owned in found] == [[3, 6], [2, 5, 8], [], [3, 6]]
    assert all("secret" not in one for owned in found for one in owned)


async def test_of_many_updates_each_knows_whether_it_was_refused(database: Database) -> None:
    await database["things"].insert_many([{"_id": n, "version": 5} for n in range(3)])
    write = batched_write(database["things"])
    newer = [
        UpdateOne({"_id": n, "version": {"$lt": version}}, {"$set": {"version": version}}, upsert=True)
        for n, version in ((0, 4), (1, 6), (2, 5), (3, 1))
    ]
    outcomes = await asyncio.gather(*map(write, newer), return_exceptions=True)
    assert [isinstance(outcome, DuplicateKeyError) for outcome in outcomes] == [True, False, True, False]
    stored = await database["things"].find().sort("_id", 1).to_list(None)
    assert [one["version"] for one in stored] == [5, 6, 5, 1]
