"""All queries of the auth database, and the index that each query uses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_hex, token_urlsafe
from typing import ClassVar, Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import ConcurrentUpdateError
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
from ticketing_common.storage.repository import UPDATE_ATTEMPTS, Publisher

from .domain import TOKEN_MINUTES, GuessRules, TokenPurpose, User
from .errors import EmailTakenError

TOKEN_BYTES: Final = 32


class UserRepository(Repository[User]):
    """Stores users."""

    INDEXES: ClassVar[Sequence[Index]] = (Index([("email", ASCENDING)], name="one_user_per_email", unique=True),)

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, User)

    async def add(self, entity: User, *publishers: Publisher[User]) -> None:
        """Store a new user. Raises `EmailTakenError` if the unique index already has the e-mail."""
        try:
            await super().add(entity, *publishers)
        except DuplicateKeyError:
            raise EmailTakenError from None

    async def change(self, user_id: str, change: Callable[[User], None]) -> User:
        """As `update`, for a change that no other service needs to know of: it has no event."""
        for _ in range(UPDATE_ATTEMPTS):
            user = await self.get(user_id)
            change(user)
            try:
                await self.save(user)
            except ConcurrentUpdateError:
                continue
            return user
        raise ConcurrentUpdateError

    async def republish(self, entity: User, publish: Publisher[User]) -> bool:
        """As in the base class; not necessary for an account whose sessions were never ended: it has no event."""
        return entity.sessions_revoked_at is not None and await super().republish(entity, publish)

    async def find_by_email(self, email: str) -> User | None:
        """The user with this e-mail, which is in its normal form."""
        with reading(self.collection):
            document = await self.collection.find_one({"email": email})
        return self.to_entity(document) if document else None


class RevokedSessions:
    """Ids of signed-out sessions. A TTL index removes each once no token of the session can be valid."""

    INDEXES: ClassVar[Sequence[Index]] = (Index([("forgotten_at", ASCENDING)], name="expiry", expireAfterSeconds=0),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the expiry index; idempotent."""
        await ensure_indexes(self._collection, self.INDEXES)

    async def add(self, session_id: str, *, forgotten_at: datetime) -> bool:
        """Store that this session is over, until `forgotten_at` (UTC); idempotent.

        Returns whether its event remains to be published: `published` was not called yet.
        """
        change = {"$set": {"forgotten_at": forgotten_at}}
        for last in (False, True):
            try:
                stored: Document = await self._collection.find_one_and_update(
                    {"_id": session_id}, change, upsert=True, return_document=ReturnDocument.AFTER
                )
                break
            except DuplicateKeyError:  # a concurrent call inserted it
                if last:
                    raise
        return "published" not in stored

    async def published(self, session_id: str) -> None:
        """Store that the event of this session's end is in an outbox, so that a repeated sign-out adds no other."""
        await self._collection.update_one({"_id": session_id}, {"$set": {"published": True}})

    async def contains(self, session_id: str) -> bool:
        """Whether this session is over."""
        with reading(self._collection):
            return await self._collection.find_one({"_id": session_id}, {"_id": 1}) is not None


@dataclass(frozen=True, slots=True)
class OneTimeToken:
    """A token that was sent in a mail, as it is stored. `password_key` is that of the password when it was made."""

    purpose: TokenPurpose
    user_id: str
    password_key: str
    expires_at: datetime

    def fits(self, user: User) -> bool:
        """Whether the account still has the password that the token is bound to."""
        return user.deleted_at is None and user.password_key == self.password_key


class OneTimeTokens:
    """Tokens for links in mails, each stored as its hash: the database does not contain what a mail contains.

    A token has 256 random bits, so a plain SHA-256 cannot be reversed by guessing (OWASP ASVS 5.0, 6.5.2).
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
        Index([("user_id", ASCENDING)], name="tokens_of_a_user"),
    )

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the indexes; idempotent."""
        await ensure_indexes(self._collection, self.INDEXES)

    async def mint(self, purpose: TokenPurpose, user: User) -> str:
        """A new token for this account; only the return value contains it."""
        token = token_urlsafe(TOKEN_BYTES)
        await self._collection.insert_one(
            {
                "_id": _digest(token),
                "purpose": purpose.value,
                "user_id": user.id,
                "password_key": user.password_key,
                "expires_at": utc_now() + timedelta(minutes=TOKEN_MINUTES),
            }
        )
        return token

    async def find(self, purpose: TokenPurpose, token: str) -> OneTimeToken | None:
        """The stored token, if it is not too old."""
        with reading(self._collection):
            return _token(await self._collection.find_one(_valid(purpose, token)))

    async def list_of_user(self, user_id: str) -> list[OneTimeToken]:
        """The account's tokens that are not too old."""
        query = {"user_id": user_id, "expires_at": {"$gt": utc_now()}}
        with reading(self._collection):
            documents = await self._collection.find(query).to_list(None)
        return [token for document in documents if (token := _token(document))]

    async def remove_of_user(self, user_id: str) -> None:
        """Remove all tokens of an account; idempotent."""
        await self._collection.delete_many({"user_id": user_id})


def _valid(purpose: TokenPurpose, token: str) -> Document:
    return {"_id": _digest(token), "purpose": purpose.value, "expires_at": {"$gt": utc_now()}}


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _token(document: Document | None) -> OneTimeToken | None:
    if document is None:
        return None
    return OneTimeToken(
        TokenPurpose(document["purpose"]), document["user_id"], document["password_key"], document["expires_at"]
    )


@dataclass(frozen=True, slots=True)
class Guess:
    """One password given for an account. If it is not `admitted`, it must not be checked now."""

    id: str
    admitted: bool
    retry_after_seconds: int = 0


class PasswordGuesses:
    """Counts each account's wrong and unchecked passwords, in one document per account.

    All replicas share the count, and a restart keeps it. MongoDB applies one operation at a time to a document and uses
    its own clock, so concurrent guesses are counted correctly, and no replica's clock matters. A document holds at most
    as many guesses as the limit. It is removed when its last guess leaves the window.
    """

    INDEXES: ClassVar[Sequence[Index]] = (Index([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the expiry index; idempotent."""
        await ensure_indexes(self._collection, self.INDEXES)

    async def reserve(self, account: str, rules: GuessRules, *, device_id: str | None) -> Guess:
        """Count a guess before its password is checked, unless the limit is reached.

        `device_id` names a known device; None means an unknown one. A refused guess is not counted: the account accepts
        guesses again when the oldest guess leaves the window, however many are refused before.
        """
        guess_id = token_hex(8)
        change = _reservation(guess_id, rules, device_id)
        for last in (False, True):
            try:
                found = await self._collection.find_one_and_update(
                    {"_id": account}, change, upsert=True, return_document=ReturnDocument.AFTER
                )
                break
            except DuplicateKeyError:  # a concurrent call inserted the account's document; now it exists
                if last:
                    raise
        guesses: list[Document] = found["guesses"]
        if any(guess["id"] == guess_id for guess in guesses):
            return Guess(guess_id, admitted=True)
        return Guess(guess_id, admitted=False, retry_after_seconds=_wait(guesses, rules, device_id))

    async def list_of(self, account: str) -> list[datetime]:
        """The times (UTC) of the account's counted guesses, oldest first; some may have left the window."""
        with reading(self._collection):
            found = await self._collection.find_one({"_id": account}, {"guesses.at": 1})
        return [guess["at"] for guess in found["guesses"]] if found else []

    async def release(self, account: str, guess_id: str) -> None:
        """Remove a guess that was right, or was not checked; idempotent."""
        await self._collection.update_one({"_id": account}, {"$pull": {"guesses": {"id": guess_id}}})


def _reservation(guess_id: str, rules: GuessRules, device_id: str | None) -> list[Document]:
    """The update that removes guesses outside the window, and adds one guess if its share is not used up."""
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
    """Seconds until the oldest guess of the used-up share leaves the window."""
    share = [guess for guess in guesses if (guess["device"] is None) == (device_id is None)]
    own = [guess for guess in share if guess["device"] == device_id]
    full = own if device_id is not None and len(own) >= rules.each_device else share
    oldest = min((guess["at"] for guess in full), default=utc_now())
    left: timedelta = oldest + rules.window - utc_now()
    return max(1, math.ceil(left.total_seconds()))
