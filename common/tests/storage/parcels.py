"""An aggregate that only tests have, and its repository."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from ticketing_common.entity import Entity
from ticketing_common.events import ExpirationCompleted, ExpirationData
from ticketing_common.storage import ASCENDING, Document, Index, Outbox, Repository
from ticketing_common.storage import repository as repository_module


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(kw_only=True)
class Parcel(Entity):
    label: str
    colour: Colour = Colour.RED
    stamps: int = 0


class ParcelRepository(Repository[Parcel]):
    INDEXES: ClassVar[Sequence[Index]] = (Index([("label", ASCENDING)], name="label", unique=True),)

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, Parcel)


def to_event(parcel: Parcel) -> ExpirationCompleted:
    return ExpirationCompleted.of(
        ExpirationData(id=parcel.id, version=parcel.version, order_id=parcel.label, expires_at=parcel.updated_at)
    )


def stamp(parcel: Parcel) -> repository_module.Publisher[Parcel] | None:
    parcel.stamps += 1
    return to_event


async def document(parcels: ParcelRepository, parcel: Parcel) -> Document:
    found = await parcels.collection.find_one({"_id": parcel.id})
    assert found is not None
    return found
