from datetime import datetime, timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import ExpirationCompleted, ExpirationData
from ticketing_common.storage import Commit, Database, Outbox, OutboxEntry, ensure_indexes
from ticketing_common.storage import outbox as outbox_module
from ticketing_common.telemetry import trace_scope

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def entry(aged: float = 0.0, version: int = 1) -> OutboxEntry:
    document_id = new_id()
    event = ExpirationCompleted.of(
        ExpirationData(id=document_id, version=version, order_id=document_id, expires_at=utc_now())
    )
    made = OutboxEntry.of(event)
    at: datetime = made.at - timedelta(seconds=aged)
    return OutboxEntry(made.id, made.subject, made.body, at)


@pytest.fixture
async def outbox(database: Database) -> Outbox:
    made = Outbox(database["things"])
    await ensure_indexes(made.collection, Outbox.INDEXES)
    return made


async def store(outbox: Outbox, *entries: OutboxEntry) -> str:
    document_id = new_id()
    await outbox.collection.insert_one({"_id": document_id, "outbox": [one.to_document() for one in entries]})
    return document_id


async def pending(outbox: Outbox, older_than_seconds: float, *, batch: int = 10) -> list[Commit]:
    batches = outbox.pending(older_than_seconds=older_than_seconds, batch=batch)
    return [commit async for commits in batches for commit in commits]


def test_an_entry_keeps_the_trace_of_the_request_that_caused_it() -> None:
    event = ExpirationCompleted.of(ExpirationData(id=new_id(), version=1, order_id=new_id(), expires_at=utc_now()))
    with trace_scope(TRACEPARENT):
        made = OutboxEntry.of(event)

    assert made.traceparent is not None
    assert made.traceparent.split("-")[1] == TRACEPARENT.split("-")[1]
    assert made.traceparent.encode() in made.body


async def test_an_entry_survives_the_database(outbox: Outbox) -> None:
    stored = entry()
    document_id = await store(outbox, stored)

    (commit,) = await pending(outbox, -1)

    assert commit.document_id == document_id
    assert commit.entries == (stored,)


async def test_pending_are_the_old_ones_oldest_first(outbox: Outbox) -> None:
    second, first = await store(outbox, entry(aged=5)), await store(outbox, entry(aged=50), entry(aged=1))
    await store(outbox, entry(aged=0.5))
    await store(outbox)

    commits = await pending(outbox, 2)

    assert [commit.document_id for commit in commits] == [first, second]
    assert len(commits[0].entries) == 2  # all of a document go out together, in their order


async def test_pending_come_in_batches_and_each_once_whatever_happens_to_it_meanwhile(outbox: Outbox) -> None:
    ids = [await store(outbox, entry(aged=20 - number)) for number in range(5)]
    batches = []

    async for commits in outbox.pending(older_than_seconds=2, batch=2):
        batches.append([commit.document_id for commit in commits])
        for commit in commits:  # one more, which by its time comes later in the index
            newer = entry(aged=5)
            await outbox.collection.update_one({"_id": commit.document_id}, {"$push": {"outbox": newer.to_document()}})

    assert batches == [ids[:2], ids[2:4], ids[4:]]


async def test_an_unreadable_entry_does_not_end_the_sweep(outbox: Outbox) -> None:
    unreadable = await store(outbox, entry(aged=9))
    await outbox.collection.update_one({"_id": unreadable}, {"$unset": {"outbox.0.body": True}})
    after = await store(outbox, entry(aged=8))

    assert [commit.document_id for commit in await pending(outbox, 2, batch=1)] == [after]


async def test_the_search_for_the_oldest_entries_does_not_read_the_whole_backlog(
    outbox: Outbox, database: Database
) -> None:
    await outbox.collection.insert_many(
        [{"_id": new_id(), "outbox": [entry(aged=60).to_document()]} for _ in range(300)]
    )
    await outbox.collection.insert_many([{"_id": new_id(), "outbox": []} for _ in range(300)])
    await database.command("profile", 2)

    async for commits in outbox.pending(older_than_seconds=2, batch=10):
        assert len(commits) == 10
        break

    await database.command("profile", 0)
    profile = await database["system.profile"].find_one({"ns": outbox.collection.full_name, "op": "query"})
    assert profile is not None
    assert profile["docsExamined"] <= 10


async def test_removed_are_only_the_entries_named(outbox: Outbox) -> None:
    published, waiting, other = entry(), entry(), entry()
    first, second = await store(outbox, published, waiting), await store(outbox, other)

    await outbox.remove({first: [published.id], second: [other.id], new_id(): ["gone"]})
    await outbox.remove({})

    (commit,) = await pending(outbox, -1)
    assert commit.entries == (waiting,)


async def test_a_parked_entry_is_stored_and_blocks_no_other(outbox: Outbox) -> None:
    refused, waiting = entry(aged=5), entry(aged=5)
    document_id = await store(outbox, refused, waiting)

    await outbox.park(document_id, refused, "too large")

    (commit,) = await pending(outbox, 2)
    assert commit.entries == (waiting,)
    document = await outbox.collection.find_one({"_id": document_id})
    assert document is not None
    (parked,) = document["outbox_parked"]
    assert (parked["id"], parked["error"]) == (refused.id, "too large")
    assert (await outbox.stats()).parked == 1


@pytest.mark.parametrize("broken", [{"id": "x", "note": "by hand"}, {"id": "x", "subject": "a.b", "body": 7}, "words"])
async def test_an_invalid_entry_is_parked_and_blocks_no_other(outbox: Outbox, broken: object) -> None:
    good, other = entry(aged=5), entry(aged=5)
    document_id = await store(outbox, good)
    await outbox.collection.update_one({"_id": document_id}, {"$push": {"outbox": broken}})
    await store(outbox, other)

    commits = await pending(outbox, 2)

    assert sorted(entry.id for commit in commits for entry in commit.entries) == sorted([good.id, other.id])
    document = await outbox.collection.find_one({"_id": document_id})
    assert document is not None
    assert [one["id"] for one in document["outbox"]] == [good.id]
    (parked,) = document["outbox_parked"]
    assert parked["error"]
    assert (await outbox.stats()).parked == 1


async def test_the_statistics_count_entries_and_know_the_oldest(outbox: Outbox) -> None:
    empty = await outbox.stats()
    assert (empty.pending, empty.oldest_seconds, empty.parked) == (0, 0.0, 0)

    await store(outbox, entry(aged=30), entry(aged=1))
    await store(outbox, entry())

    stats = await outbox.stats()
    assert stats.pending == 3
    assert 30 <= stats.oldest_seconds < 60


async def test_only_what_was_published_is_removed_and_full_documents_go_in_several_updates(
    outbox: Outbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "REMOVE_ENTRIES", 3)
    stored = [[entry(version=version) for version in (1, 2, 3)] for _ in range(4)]
    ids = [await store(outbox, *entries) for entries in stored]
    untouched = await store(outbox, entry())
    await database.command("profile", 2)

    # The third came while the first two were on their way.
    await outbox.remove({one: [entries[0].id, entries[1].id] for one, entries in zip(ids, stored, strict=True)})

    await database.command("profile", 0)
    left = {commit.document_id: commit.entries for commit in await pending(outbox, -1)}
    assert {one: left[one] for one in ids} == {one: (entries[2],) for one, entries in zip(ids, stored, strict=True)}
    assert len(left[untouched]) == 1
    updates = database["system.profile"].find({"ns": outbox.collection.full_name, "op": "update"})
    assert [update["nMatched"] async for update in updates] == [2, 2]
