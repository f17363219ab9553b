"""Many aggregates at once: each is saved with its event, or refused alone."""

import asyncio

from ticketing_common.events import parse_event
from ticketing_common.storage import Commit

from .parcels import Parcel, ParcelRepository, document, stamp, to_event


async def test_save_all_saves_each_aggregate_with_its_event(parcels: ParcelRepository, commits: list[Commit]) -> None:
    made = [Parcel(label=str(number)) for number in range(20)]
    for parcel in made:
        await parcels.add(parcel)
        parcel.stamps = 7

    assert await parcels.save_all(made, to_event) == made
    assert await parcels.save_all([], to_event) == []

    for parcel in made:
        found = await document(parcels, parcel)
        (entry,) = found["outbox"]
        assert (found["stamps"], found["version"]) == (7, 2)
        assert parse_event(entry["subject"], entry["body"].encode()).data.version == 2
    assert sorted(commit.document_id for commit in commits) == sorted(parcel.id for parcel in made)


async def test_save_all_skips_aggregates_that_were_changed_meanwhile(
    parcels: ParcelRepository, commits: list[Commit]
) -> None:
    made = [Parcel(label=str(number)) for number in range(6)]
    for parcel in made:
        await parcels.add(parcel)
    for parcel in made[:2]:
        await parcels.update(parcel.id, stamp)
    commits.clear()

    assert await parcels.save_all(made, to_event) == made[2:]

    assert [(await parcels.get(parcel.id)).stamps for parcel in made] == [1, 1, 0, 0, 0, 0]
    assert [commit.document_id for commit in commits] == [parcel.id for parcel in made[2:]]


async def test_concurrent_save_all_calls_save_each_aggregate_once(
    parcels: ParcelRepository, commits: list[Commit]
) -> None:
    made = [Parcel(label=str(number)) for number in range(50)]
    for parcel in made:
        await parcels.add(parcel)
    copies = [[await parcels.get(parcel.id) for parcel in made] for _ in range(4)]

    saved = await asyncio.gather(*(parcels.save_all(copy, to_event) for copy in copies))

    assert sorted(parcel.id for one in saved for parcel in one) == sorted(parcel.id for parcel in made)
    stored = {entry["id"] for parcel in made for entry in (await document(parcels, parcel))["outbox"]}
    assert stored == {entry.id for commit in commits for entry in commit.entries}


async def test_republish_publishes_the_same_version_again(parcels: ParcelRepository, commits: list[Commit]) -> None:
    await parcels.add(parcel := Parcel(label="a"), to_event)

    assert await parcels.republish(parcel, to_event)

    found = await document(parcels, parcel)
    first, second = (parse_event(entry["subject"], entry["body"].encode()) for entry in found["outbox"])
    assert found["version"] == 1
    assert first.data.version == second.data.version == 1
    assert first.id != second.id
    assert len(commits) == 2

    stale = await parcels.get(parcel.id)
    await parcels.update(parcel.id, stamp)
    assert not await parcels.republish(stale, to_event)
