"""Every query of the auth database, and the index that each one uses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import ClassVar

from ticketing_common.entity import utc_now
from ticketing_common.storage import (
    ASCENDING,
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    Outbox,
    Repository,
    ReturnDocument,
    ensure_indexes,
    reading,
)
from ticketing_common.storage.repository import Publisher

from .domain import GuessRules, User
from .errors import EmailTakenError

__all__ = ["Guess", "PasswordGuesses", "RevokedSessions", "UserRepository"]


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


@dataclass(frozen=True, slots=True)
class Guess:
    """One password that was given for an account; not `admitted` when it must not be judged now."""

    id: str
    admitted: bool
    retry_after_seconds: int = 0


class PasswordGuesses:
    """The passwords given for each account that were wrong, or are not judged yet: one document an account.

    All replicas count in it, and a restart forgets nothing. MongoDB changes a document by one operation at a time and
    reads its own clock, so parallel guesses see each other, and no replica's clock matters. A document holds as many
    guesses as the limit and is removed once its last one is out of the window.
    """

    INDEXES: ClassVar[Sequence[Index]] = (Index([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the expiry index; idempotent."""
        await ensure_indexes(self._collection, self.INDEXES)

    async def reserve(self, account: str, rules: GuessRules, *, device_id: str | None) -> Guess:
        """Count a guess before its password is judged, unless the limit is reached.

        `device_id` is a known device's; None is a stranger. A guess that is not admitted is not counted: the account is
        open again as soon as the oldest guess leaves the window, however many are refused meanwhile.
        """
        guess_id = token_hex(8)
        change = _reservation(guess_id, rules, device_id)
        for last in (False, True):
            try:
                found = await self._collection.find_one_and_update(
                    {"_id": account}, change, upsert=True, return_document=ReturnDocument.AFTER
                )
                break
            except DuplicateKeyError:  # two inserted the account's document at once; now it is there
                if last:
                    raise
        guesses: list[Document] = found["guesses"]
        if any(guess["id"] == guess_id for guess in guesses):
            return Guess(guess_id, admitted=True)
        return Guess(guess_id, admitted=False, retry_after_seconds=_wait(guesses, rules, device_id))

    async def release(self, account: str, guess_id: str) -> None:
        """Take back a guess that was right, or was not judged; again is the same."""
        await self._collection.update_one({"_id": account}, {"$pull": {"guesses": {"id": guess_id}}})


def _reservation(guess_id: str, rules: GuessRules, device_id: str | None) -> list[Document]:
    """The update that forgets what is out of the window and adds one guess if its share has a place for it."""
    milliseconds = int(rules.window.total_seconds() * 1000)

    def fewer(than: int, condition: Document) -> Document:
        return {"$lt": [{"$size": {"$filter": {"input": "$guesses", "cond": condition}}}, than]}

    stranger: Document = {"$eq": ["$$this.device", None]}
    admitted = (
        fewer(rules.strangers, stranger)
        if device_id is None
        else {
            "$and": [
                fewer(rules.devices, {"$not": [stranger]}),
                fewer(rules.each_device, {"$eq": ["$$this.device", {"$literal": device_id}]}),
            ]
        }
    )
    recent = {"$gt": ["$$this.at", {"$subtract": ["$$NOW", milliseconds]}]}
    guess = {"id": guess_id, "at": "$$NOW", "device": {"$literal": device_id}}
    return [
        {"$set": {"guesses": {"$filter": {"input": {"$ifNull": ["$guesses", []]}, "cond": recent}}}},
        {
            "$set": {
                "guesses": {"$cond": [admitted, {"$concatArrays": ["$guesses", [guess]]}, "$guesses"]},
                "expires_at": {"$cond": [admitted, {"$add": ["$$NOW", milliseconds]}, "$expires_at"]},
            }
        },
    ]


def _wait(guesses: Sequence[Document], rules: GuessRules, device_id: str | None) -> int:
    """Seconds until the oldest guess of the share that is used up leaves the window."""
    share = [guess for guess in guesses if (guess["device"] is None) == (device_id is None)]
    own = [guess for guess in share if guess["device"] == device_id]
    full = own if device_id is not None and len(own) >= rules.each_device else share
    oldest = min((guess["at"] for guess in full), default=utc_now())
    left: timedelta = oldest + rules.window - utc_now()
    return max(1, math.ceil(left.total_seconds()))
