"""Accounts, ended sessions and one-time tokens: their queries, and the index that each query uses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import ClassVar, Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.storage import (
    ASCENDING,
    Document,
    DuplicateKeyError,
    Index,
    Outbox,
    Repository,
    reading,
)
from ticketing_common.storage.repository import UPDATE_ATTEMPTS, Publisher
from ticketing_common.storage.store import Store

from .domain import TOKEN_MINUTES, TokenPurpose, User
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


class RevokedSessions(Store):
    """Ids of signed-out sessions. A TTL index removes each once no token of the session can be valid."""

    INDEXES: ClassVar[Sequence[Index]] = (Index([("forgotten_at", ASCENDING)], name="expiry", expireAfterSeconds=0),)

    async def add(self, session_id: str, *, forgotten_at: datetime) -> bool:
        """Store that this session is over, until `forgotten_at` (UTC); idempotent.

        Returns whether its event remains to be published: `published` was not called yet.
        """
        return "published" not in await self.upsert(session_id, {"$set": {"forgotten_at": forgotten_at}})

    async def published(self, session_id: str) -> None:
        """Store that the event of this session's end is in an outbox, so that a repeated sign-out adds no other."""
        await self.collection.update_one({"_id": session_id}, {"$set": {"published": True}})

    async def contains(self, session_id: str) -> bool:
        """Whether this session is over."""
        with reading(self.collection):
            return await self.collection.find_one({"_id": session_id}, {"_id": 1}) is not None


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


class OneTimeTokens(Store):
    """Tokens for links in mails, each stored as its hash: the database does not contain what a mail contains.

    A token has 256 random bits, so a plain SHA-256 cannot be reversed by guessing (OWASP ASVS 5.0, 6.5.2).
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
        Index([("user_id", ASCENDING)], name="tokens_of_a_user"),
    )

    async def mint(self, purpose: TokenPurpose, user: User) -> str:
        """A new token for this account; only the return value contains it."""
        token = token_urlsafe(TOKEN_BYTES)
        await self.collection.insert_one(
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
        with reading(self.collection):
            return _token(await self.collection.find_one(_valid(purpose, token)))

    async def list_of_user(self, user_id: str) -> list[OneTimeToken]:
        """The account's tokens that are not too old."""
        query = {"user_id": user_id, "expires_at": {"$gt": utc_now()}}
        with reading(self.collection):
            documents = await self.collection.find(query).to_list(None)
        return [token for document in documents if (token := _token(document))]

    async def remove_of_user(self, user_id: str) -> None:
        """Remove all tokens of an account; idempotent."""
        await self.collection.delete_many({"user_id": user_id})


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
