"""The requested mails: one document per fact, which is also the queue of the mail worker."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from ticketing_common.batching import Batcher
from ticketing_common.storage import (
    ASCENDING,
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    UpdateOne,
    batched,
    reading,
    upsert_each,
)
from ticketing_common.storage.store import Store
from ticketing_common.telemetry import current_traceparent

from .kinds import RULES, MailKind

KEPT: Final = timedelta(days=30)
"""How long a mail's document is kept; until then a repeated fact makes no second mail."""
ANNOUNCED: Final = timedelta(minutes=1)
"""How long an announced change may take; longer than any request."""


@dataclass(frozen=True, slots=True)
class MailRequest:
    """A mail of this kind to an account; `fact`, `values` and `delay` as in `Mails.request`. Without a `traceparent` it
    belongs to the current trace.
    """

    kind: MailKind
    user_id: str
    fact: str
    values: Mapping[str, Any]
    traceparent: str | None = None
    delay: timedelta = timedelta(0)

    @property
    def mail_id(self) -> str:
        """The id of the fact's only mail of this kind."""
        return f"{self.kind}:{self.fact}"


class Mails(Store):
    """Requests for mail. A request is one insert, so that no caller waits for a mail server.

    Concurrent requests share a command (decision 0010). `on_request` is called with the id of a new mail, to wake the
    worker, once for all mails of a command: the worker delivers everything that is due. It must not raise or wait.
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        # Contains only queued mails, so its size does not grow with the number of sent mails.
        Index([("next_at", ASCENDING)], name="queued_next_at", partialFilterExpression={"state": "queued"}),
        Index([("give_up_at", ASCENDING)], name="queued_give_up_at", partialFilterExpression={"state": "queued"}),
        Index([("ended_at", ASCENDING)], name="given_up_ended_at", partialFilterExpression={"state": "given_up"}),
        Index([("user_id", ASCENDING), ("kind", ASCENDING), ("requested_at", ASCENDING)], name="account_kind"),
        Index([("forgotten_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, collection: Collection, on_request: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(collection)
        self._on_request = on_request
        self._store: Batcher[MailRequest, bool] = batched(collection, "update", self._store_each)

    async def request(
        self,
        kind: MailKind,
        *,
        user_id: str,
        fact: str,
        values: Mapping[str, Any] | None = None,
        delay: timedelta = timedelta(0),
    ) -> bool:
        """Store that this account gets a mail about `fact`. False if this fact has a mail of this kind already.

        `fact` identifies the fact among all of its kind, for example the id of an order. `values` are stored for the
        templates, and must contain neither secrets nor addresses: `Values` adds secrets when the mail is rendered. The
        mail is not sent before `delay` has passed.
        """
        return await self._store(MailRequest(kind, user_id, fact, values or {}, current_traceparent(), delay))

    async def request_all(self, requests: Sequence[MailRequest]) -> None:
        """As `request`, for many mails in one round trip."""
        for outcome in await self._store_each(requests):
            if isinstance(outcome, Exception):
                raise outcome

    async def _store_each(self, requests: Sequence[MailRequest]) -> list[bool | Exception]:
        """For each whether it was stored; False if its fact has a mail already, or a concurrent call was faster."""
        stored = {"$ne": [{"$type": "$state"}, "missing"]}
        outcomes = await upsert_each(
            self.collection,
            [
                UpdateOne(
                    {"_id": one.mail_id}, [{"$replaceWith": {"$cond": [stored, "$$ROOT", _new_mail(one)]}}], upsert=True
                )
                for one in requests
            ],
        )
        due = [one for one, outcome in zip(requests, outcomes, strict=True) if outcome is True and not one.delay]
        if due:
            self._on_request(due[0].mail_id)
        return [False if isinstance(outcome, DuplicateKeyError) else outcome for outcome in outcomes]

    @asynccontextmanager
    async def announcing(
        self, kind: MailKind, *, user_id: str, fact: str, values: Mapping[str, Any] | None = None
    ) -> AsyncIterator[None]:
        """Request a mail about the change that is made in this block, so that a crash cannot lose the mail.

        The mail is stored before the change, and waits until the block ends, at most `ANNOUNCED`. The block's error
        withdraws it. If the process dies between the two, the mail becomes due: the kind's `Values` must therefore
        check that the change was made, and return None if it was not.
        """
        new = await self.request(kind, user_id=user_id, fact=fact, values=values, delay=ANNOUNCED)
        try:
            yield
        except BaseException:
            if new:
                await self.withdraw(kind, fact=fact)
            raise
        mail_id = f"{kind}:{fact}"
        result = await self.collection.update_one(
            {"_id": mail_id, "state": "queued", "attempts": 0, "$expr": {"$gt": ["$next_at", "$$NOW"]}},
            [{"$set": {"next_at": "$$NOW"}}],
        )
        if result.modified_count:
            self._on_request(mail_id)

    async def withdraw(self, kind: MailKind, *, fact: str) -> None:
        """Delete a mail that is still queued, for example because its change was not made; idempotent."""
        await self.collection.delete_one({"_id": f"{kind}:{fact}", "state": "queued"})

    async def list_of_account(self, user_id: str) -> list[tuple[MailKind, datetime]]:
        """The kind and the time of the request (UTC) of every stored mail of an account, for its owner."""
        with reading(self.collection):
            documents = await self.collection.find({"user_id": user_id}, {"kind": 1, "requested_at": 1}).to_list(None)
        return [(MailKind(document["kind"]), document["requested_at"]) for document in documents]

    async def forget_account(self, user_id: str) -> None:
        """Delete every mail of an account, queued or sent; idempotent. For the deletion of the account."""
        await self.collection.delete_many({"user_id": user_id})


def _new_mail(request: MailRequest) -> Document:
    milliseconds = request.delay // timedelta(milliseconds=1)
    give_up_milliseconds = milliseconds + RULES[request.kind].give_up_after // timedelta(milliseconds=1)
    return {
        "_id": {"$literal": request.mail_id},
        "kind": request.kind.value,
        "user_id": {"$literal": request.user_id},
        "values": {"$literal": dict(request.values)},
        "traceparent": {"$literal": request.traceparent or current_traceparent()},
        "state": "queued",
        "attempts": 0,
        "requested_at": "$$NOW",
        "next_at": {"$add": ["$$NOW", milliseconds]},
        "give_up_at": {"$add": ["$$NOW", give_up_milliseconds]},
        "forgotten_at": {"$add": ["$$NOW", KEPT // timedelta(milliseconds=1)]},
    }
