import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
from prometheus_client import REGISTRY

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError, NotFoundError, UnavailableError
from ticketing_common.events import ExpirationCompleted, parse_event
from ticketing_common.resilience import PER_ITERATION, background, cancel_and_wait
from ticketing_common.storage import Commit, DuplicateKeyError
from ticketing_common.storage import repository as repository_module

from .parcels import Colour, Parcel, ParcelRepository, document, stamp, to_event


async def test_what_was_added_is_found_as_version_one(parcels: ParcelRepository) -> None:
    parcel = Parcel(label="a", colour=Colour.BLUE)

    await parcels.add(parcel, to_event)

    assert parcel.version == 1
    assert await parcels.get(parcel.id) == parcel
    assert await parcels.find(new_id()) is None
    with pytest.raises(NotFoundError, match="There is no parcel"):
        await parcels.get(new_id())


async def test_the_event_is_in_the_same_document_with_the_new_version(
    parcels: ParcelRepository, commits: list[Commit]
) -> None:
    parcel = Parcel(label="a")
    await parcels.add(parcel, to_event)
    await parcels.update(parcel.id, stamp)

    entries = (await document(parcels, parcel))["outbox"]

    events = [parse_event(entry["subject"], entry["body"].encode()) for entry in entries]
    assert [event.data.version for event in events] == [1, 2]
    assert [event.id for event in events] == [entry["id"] for entry in entries]
    assert [entry.id for commit in commits for entry in commit.entries] == [event.id for event in events]


async def test_a_refused_insert_leaves_no_trace(parcels: ParcelRepository, commits: list[Commit]) -> None:
    await parcels.add(Parcel(label="a"), to_event)
    second = Parcel(label="a")

    with pytest.raises(DuplicateKeyError):
        await parcels.add(second, to_event)

    assert second.version == 0
    assert await parcels.find(second.id) is None
    assert len(commits) == 1


Compartment = Callable[[], AbstractContextManager[None]]
both_workloads = pytest.mark.parametrize("compartment", [nullcontext, background], ids=["request", "background"])


@both_workloads
async def test_a_stale_copy_cannot_be_saved(
    parcels: ParcelRepository, commits: list[Commit], compartment: Compartment
) -> None:
    await parcels.add(Parcel(id=(parcel_id := new_id()), label="a"), to_event)
    first, second = await parcels.get(parcel_id), await parcels.get(parcel_id)
    first.stamps = 1
    await parcels.save(first, to_event)
    before = await document(parcels, first)

    second.stamps = 100
    loaded_at = second.updated_at
    with pytest.raises(ConcurrentUpdateError), compartment():
        await parcels.save(second, to_event)

    assert await document(parcels, first) == before
    assert (second.version, second.updated_at) == (1, loaded_at)
    assert len(commits) == 2


@both_workloads
async def test_a_save_that_fails_leaves_the_copy_as_it_was_loaded(
    parcels: ParcelRepository, compartment: Compartment
) -> None:
    await parcels.add(parcel := Parcel(label="a"))
    await parcels.collection.insert_one({"_id": new_id(), "label": "b", "version": 1})
    before = (parcel.version, parcel.updated_at)

    parcel.label = "b"
    with pytest.raises(DuplicateKeyError), compartment():
        await parcels.save(parcel, to_event)

    assert (parcel.version, parcel.updated_at) == before


async def test_a_change_whose_event_cannot_be_made_is_not_stored(parcels: ParcelRepository) -> None:
    def broken(_parcel: Parcel) -> ExpirationCompleted:
        raise ValueError("no such event")

    await parcels.add(parcel := Parcel(label="a"))
    parcel.stamps = 1
    with pytest.raises(ValueError, match="no such event"):
        await parcels.save(parcel, broken)
    with pytest.raises(ValueError, match="no such event"):
        await parcels.add(Parcel(label="b"), broken)

    assert (await parcels.get(parcel.id)).stamps == 0
    assert await parcels.collection.count_documents({}) == 1
    assert parcel.version == 1


@both_workloads
async def test_many_who_change_the_same_thing_lose_no_change(
    parcels: ParcelRepository, compartment: Compartment
) -> None:
    await parcels.add(parcel := Parcel(label="a"))

    async def until_done() -> None:
        while True:
            try:
                await parcels.update(parcel.id, stamp)
            except ConcurrentUpdateError:
                continue
            return

    with compartment():
        await asyncio.gather(*(until_done() for _ in range(20)))

    found = await document(parcels, parcel)
    assert (found["stamps"], found["version"]) == (20, 21)
    versions = [parse_event(entry["subject"], entry["body"].encode()).data.version for entry in found["outbox"]]
    assert versions == list(range(2, 22))


@both_workloads
async def test_only_the_stale_changes_of_a_batch_are_refused(
    parcels: ParcelRepository, commits: list[Commit], compartment: Compartment
) -> None:
    made = [Parcel(label=str(number)) for number in range(10)]
    for parcel in made:
        await parcels.add(parcel)
    stale = await parcels.get(made[4].id)
    await parcels.update(stale.id, stamp)
    before = await document(parcels, stale)
    commits.clear()

    missing = Parcel(label="missing", version=1)
    made.append(missing)

    with compartment():
        outcomes = await asyncio.gather(*(parcels.save(parcel, to_event) for parcel in made), return_exceptions=True)

    assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [4, 10]
    assert isinstance(outcomes[4], ConcurrentUpdateError)
    assert isinstance(outcomes[10], ConcurrentUpdateError)
    assert await document(parcels, stale) == before
    assert await parcels.collection.count_documents({}) == 10
    assert {commit.document_id for commit in commits} == {parcel.id for parcel in made} - {stale.id, missing.id}


async def test_nothing_to_do_writes_nothing(parcels: ParcelRepository, commits: list[Commit]) -> None:
    await parcels.add(parcel := Parcel(label="a"))
    before = await document(parcels, parcel)

    def nothing(_parcel: Parcel) -> None:
        return None

    assert await parcels.update(parcel.id, nothing) == parcel
    assert await document(parcels, parcel) == before
    assert commits == []


async def test_an_update_gives_up_after_losing_every_race(parcels: ParcelRepository) -> None:
    await parcels.add(parcel := Parcel(label="a"))
    seen: list[int] = []

    def loses(copy: Parcel) -> repository_module.Publisher[Parcel]:
        seen.append(copy.version)
        copy.version -= 1  # as if another writer had been faster
        return to_event

    with pytest.raises(ConcurrentUpdateError):
        await parcels.update(parcel.id, loses)
    assert len(seen) == repository_module.UPDATE_ATTEMPTS


async def test_enums_are_stored_as_plain_words_and_unknown_fields_survive(parcels: ParcelRepository) -> None:
    await parcels.add(parcel := Parcel(label="a", colour=Colour.BLUE))
    await parcels.collection.update_one({"_id": parcel.id}, {"$set": {"later_idea": 1}})

    await parcels.update(parcel.id, stamp)

    found = await document(parcels, parcel)
    assert found["colour"] == "blue"
    assert found["later_idea"] == 1


def refusals() -> float:
    return REGISTRY.get_sample_value("outbox_full_total", {"collection": "parcels"}) or 0.0


async def test_a_change_with_a_full_outbox_is_refused(
    parcels: ParcelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_module, "MAX_ENTRIES", 3)
    refused_before = refusals()
    await parcels.add(parcel := Parcel(label="a"), to_event)
    await parcels.update(parcel.id, stamp)
    await parcels.update(parcel.id, stamp)

    with pytest.raises(UnavailableError) as refused:
        await parcels.update(parcel.id, stamp)

    assert refused.value.retry_after_seconds > 0
    assert (await parcels.get(parcel.id)).stamps == 2
    assert refusals() == refused_before + 1


async def test_one_full_outbox_in_a_batch_is_refused_and_the_others_are_saved(
    parcels: ParcelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_module, "MAX_ENTRIES", 2)
    made = [Parcel(label=label) for label in "abc"]
    for parcel in made:
        await parcels.add(parcel, to_event)
    await parcels.update(made[1].id, stamp)
    found = await parcels.find_all([parcel.id for parcel in made])

    with pytest.raises(UnavailableError):
        await parcels.save_all(list(found.values()), to_event)

    assert {one.label: one.version for one in (await parcels.find_all(list(found))).values()} == {
        "a": 2,
        "b": 2,
        "c": 2,
    }


async def test_many_are_found_by_their_ids(parcels: ParcelRepository) -> None:
    made = [Parcel(label=label) for label in "ab"]
    for parcel in made:
        await parcels.add(parcel, to_event)
    assert await parcels.find_all([made[1].id, "missing", made[0].id]) == {parcel.id: parcel for parcel in made}
    assert await parcels.find_all([]) == {}


async def test_requests_continue_while_many_are_saved_in_the_background(parcels: ParcelRepository) -> None:
    made = [Parcel(label=str(number)) for number in range(3 * PER_ITERATION)]
    for parcel in made:
        await parcels.add(parcel, to_event)
    iterations = 0
    published_in: list[int] = []

    async def count_iterations() -> None:
        nonlocal iterations
        while True:
            iterations += 1
            await asyncio.sleep(0)

    def publish(parcel: Parcel) -> ExpirationCompleted:
        published_in.append(iterations)
        return to_event(parcel)

    counting = asyncio.create_task(count_iterations())
    with background():
        assert len(await parcels.save_all(made, publish)) == len(made)
    await cancel_and_wait(counting)

    assert max(Counter(published_in).values()) <= PER_ITERATION


async def test_an_aggregate_with_a_full_outbox_is_not_republished(
    parcels: ParcelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_module, "MAX_ENTRIES", 2)
    await parcels.add(parcel := Parcel(label="a"), to_event)

    assert await parcels.republish(parcel, to_event)
    assert not await parcels.republish(parcel, to_event)

    assert len((await document(parcels, parcel))["outbox"]) == 2


async def test_a_walk_returns_every_aggregate_once_in_the_order_of_ids(
    parcels: ParcelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_module, "WALK_BATCH", 3)
    made = [Parcel(label=str(number)) for number in range(9)]
    for parcel in made:
        await parcels.add(parcel)

    assert [parcel.id async for parcel in parcels.walk()] == sorted(parcel.id for parcel in made)


async def test_times_come_back_as_they_were_stored(parcels: ParcelRepository) -> None:
    await parcels.add(parcel := Parcel(label="a", created_at=utc_now()))
    found = await parcels.get(parcel.id)
    assert found.created_at == parcel.created_at
    assert found.created_at.utcoffset() is not None
