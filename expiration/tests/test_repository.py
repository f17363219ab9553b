import asyncio
from datetime import timedelta

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.storage import Database
from ticketing_expiration.domain import Deadline, DeadlineStatus
from ticketing_expiration.publishers import expiration_completed
from ticketing_expiration.repository import DeadlineRepository


async def add(
    deadlines: DeadlineRepository, due_in: float, status: DeadlineStatus = DeadlineStatus.PENDING
) -> Deadline:
    deadline = Deadline(id=new_id(), expires_at=utc_now() + timedelta(seconds=due_in), status=status)
    await deadlines.add(deadline)
    return deadline


async def test_the_first_deadline_of_an_order_stays(deadlines: DeadlineRepository) -> None:
    first = await add(deadlines, 900, DeadlineStatus.CANCELLED)

    found = await deadlines.find_or_add(Deadline(id=first.id, expires_at=utc_now()))

    assert found.status is DeadlineStatus.CANCELLED
    assert found.expires_at == first.expires_at


async def test_an_unreadable_deadline_delays_no_other(deadlines: DeadlineRepository) -> None:
    broken = await add(deadlines, -60)
    await deadlines.collection.update_one({"_id": broken.id}, {"$set": {"traceparent": {"no": "string"}}})
    due = await add(deadlines, -1)

    assert [deadline.id for deadline in await deadlines.list_due(limit=10)] == [due.id]
    assert deadlines.unreadable == 1


async def test_pending_deadlines_are_due_once_they_have_passed(deadlines: DeadlineRepository) -> None:
    later = await add(deadlines, -1)
    sooner = await add(deadlines, -3_600)
    await add(deadlines, 60)
    await add(deadlines, -60, DeadlineStatus.CANCELLED)
    await add(deadlines, -60, DeadlineStatus.COMPLETED)

    due = await deadlines.list_due(limit=10)

    assert [deadline.id for deadline in due] == [sooner.id, later.id]


async def test_pending_deadlines_of_the_near_future_are_upcoming(deadlines: DeadlineRepository) -> None:
    near = await add(deadlines, 1_000)
    await add(deadlines, 3_600)

    upcoming = await deadlines.list_upcoming(within=timedelta(seconds=2_000), limit=10)

    assert [deadline.id for deadline in upcoming] == [near.id]


async def test_remaining_is_positive_before_negative_after_and_none_when_over(deadlines: DeadlineRepository) -> None:
    before, after, off = (
        await add(deadlines, 3_600),
        await add(deadlines, -60),
        await add(deadlines, 60, DeadlineStatus.CANCELLED),
    )

    assert timedelta(minutes=50) < (await deadlines.remaining(before.id) or timedelta()) <= timedelta(hours=1)
    assert (await deadlines.remaining(after.id) or timedelta()) < timedelta(0)
    assert await deadlines.remaining(off.id) is None
    assert await deadlines.remaining(new_id()) is None


async def test_the_query_of_due_deadlines_reads_nothing_else(deadlines: DeadlineRepository, database: Database) -> None:
    for due_in in [-2, -1, *range(10, 40)]:
        await add(deadlines, due_in)
    for _ in range(30):
        await add(deadlines, -60, DeadlineStatus.COMPLETED)

    explained = await database.command(
        {
            "explain": {
                "find": "deadlines",
                "filter": {"status": "pending", "$expr": {"$lte": ["$expires_at", "$$NOW"]}},
                "sort": {"expires_at": 1},
                "limit": 200,
            },
            "verbosity": "executionStats",
        }
    )

    assert explained["executionStats"]["nReturned"] == 2
    assert explained["executionStats"]["totalKeysExamined"] <= 3
    assert explained["executionStats"]["totalDocsExamined"] <= 2


async def test_concurrent_completions_of_one_deadline_publish_it_once(
    deadlines: DeadlineRepository, database: Database
) -> None:
    stored = await add(deadlines, -1)

    copies = [await deadlines.get(stored.id) for _ in range(5)]
    outcomes = await asyncio.gather(*(_complete(deadlines, copy) for copy in copies))

    assert sorted(outcomes) == [False, False, False, False, True]
    document = await database["deadlines"].find_one({"_id": stored.id})
    assert document is not None
    assert [entry["subject"] for entry in document["outbox"]] == [f"expiration.completed.{stored.id}"]


async def _complete(deadlines: DeadlineRepository, deadline: Deadline) -> bool:
    deadline.complete()
    try:
        await deadlines.save(deadline, expiration_completed)
    except ConcurrentUpdateError:
        return False
    return True


async def test_a_resync_covers_completed_deadlines_only(deadlines: DeadlineRepository) -> None:
    passed = await add(deadlines, -1, DeadlineStatus.COMPLETED)
    await add(deadlines, -1)
    await add(deadlines, -1, DeadlineStatus.CANCELLED)

    assert [deadline.id async for deadline in deadlines.walk()] == [passed.id]
