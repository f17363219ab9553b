"""Every query of the auth database, and the index that each one uses."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from ticketing_common.storage import (
    ASCENDING,
    Collection,
    DuplicateKeyError,
    Index,
    Outbox,
    Repository,
    ensure_indexes,
    reading,
)
from ticketing_common.storage.repository import Publisher

from .domain import User
from .errors import EmailTakenError

__all__ = ["RevokedSessions", "UserRepository"]


class UserRepository(Repository[User]):
    """The users."""

    INDEXES: ClassVar[Sequence[Index]] = (Index([("email", ASCENDING)], name="one_user_per_email", unique=True),)

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, User)

    async def add(self, entity: User, *publishers: Publisher[User]) -> None:
        """Store a new user; the unique index decides whose the e-mail is: raises `EmailTakenError`."""
        try:
            await super().add(entity, *publishers)
        except DuplicateKeyError:
            raise EmailTakenError from None

    async def find_by_email(self, email: str) -> User | None:
        """The user with this e-mail, in its normal form."""
        with reading(self.collection):
            document = await self.collection.find_one({"email": email})
        return self.to_entity(document) if document else None


class RevokedSessions:
    """Sessions that were signed out of, by id; MongoDB forgets each once none of its tokens can be valid."""

    INDEXES: ClassVar[Sequence[Index]] = (Index([("forgotten_at", ASCENDING)], name="expiry", expireAfterSeconds=0),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the expiry index; idempotent."""
        await ensure_indexes(self._collection, self.INDEXES)

    async def add(self, session_id: str, *, forgotten_at: datetime) -> None:
        """Remember that this session is over; again is the same."""
        await self._collection.update_one({"_id": session_id}, {"$set": {"forgotten_at": forgotten_at}}, upsert=True)

    async def contains(self, session_id: str) -> bool:
        """Whether this session is over."""
        with reading(self._collection):
            return await self._collection.find_one({"_id": session_id}, {"_id": 1}) is not None
