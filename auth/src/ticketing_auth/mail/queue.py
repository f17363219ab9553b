"""The worker's side of the mails: claim, retry, end. MongoDB's clock decides, and each change is one atomic update."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

from ticketing_common.errors import UNREADABLE_DOCUMENT
from ticketing_common.storage import ASCENDING, Collection, Document, ReturnDocument, aggregate
from ticketing_common.telemetry import get_logger

from .kinds import RULES, Mail, MailKind

log = get_logger(__name__)

LEASE: Final = timedelta(minutes=1)
"""How long a claimed mail is not due; longer than one delivery may take. After a crash another worker takes it then."""
FIRST_RETRY_SECONDS: Final = 10.0
LONGEST_RETRY_SECONDS: Final = 30 * 60.0
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that this worker may deliver until its lease ends. `token` identifies this claim."""

    mail: Mail
    token: str


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many mails are queued, and for how many seconds the longest overdue one has been due."""

    queued: int
    oldest_seconds: float


def retry_delay(attempts: int) -> timedelta:
    """The time until the next attempt: doubles from 10 s to 30 minutes, with 20 % jitter."""
    seconds = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(attempts - 1, 20))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 (jitter, not a secret)


class MailQueue:
    """Claims mails that are due, and records what became of them."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def claim(self) -> Claim | None:
        """Claim the mail that has been due for the longest time; None if no mail is due.

        An attempt is counted here, so a mail that kills the process at each attempt does not stay first in the queue.
        One that cannot be read, of a newer release for example, is skipped until its lease ends.
        """
        while found := await self._claim(token := token_hex(8)):
            try:
                return Claim(_mail(found), token)
            except UNREADABLE_DOCUMENT:
                log.exception("mail cannot be read, skipped", mail_id=found["_id"])
        return None

    async def _claim(self, token: str) -> Document | None:
        found: Document | None = await self._collection.find_one_and_update(
            {"state": "queued", "$expr": {"$lte": ["$next_at", "$$NOW"]}},
            [
                {
                    "$set": {
                        "next_at": {"$add": ["$$NOW", LEASE // timedelta(milliseconds=1)]},
                        "attempts": {"$add": ["$attempts", 1]},
                        "claim": token,
                    }
                }
            ],
            sort=[("next_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return found

    async def retry(self, claim: Claim, *, reason: str) -> None:
        """Make the mail due again after `retry_delay`, unless another worker has claimed it since."""
        delay = retry_delay(claim.mail.attempts) // timedelta(milliseconds=1)
        await self._collection.update_one(
            {"_id": claim.mail.id, "state": "queued", "claim": claim.token},
            [{"$set": {"next_at": {"$add": ["$$NOW", delay]}, "reason": {"$literal": reason}}}],
        )

    async def end(self, claim: Claim, state: str, *, reason: str | None = None) -> bool:
        """Record the end of a mail: `sent`, `refused` or `dropped`. False if it has ended before.

        It applies also when another worker has claimed the mail since: what the mail server accepted is sent.
        """
        result = await self._collection.update_one(
            {"_id": claim.mail.id, "state": "queued"},
            [{"$set": {"state": state, "ended_at": "$$NOW", "reason": {"$literal": reason}}}],
        )
        return result.modified_count == 1

    async def give_up_overdue(self) -> Sequence[Mail]:
        """End mails that were not delivered within the time of their kind. Returns them, at most `BATCH`."""
        overdue: Document = {"state": "queued", "$expr": {"$lte": ["$give_up_at", "$$NOW"]}}
        documents = await self._collection.find(overdue).limit(BATCH).to_list(None)
        given_up = []
        for document in documents:
            result = await self._collection.update_one(
                {"_id": document["_id"], **overdue}, [{"$set": {"state": "given_up", "ended_at": "$$NOW"}}]
            )
            if not result.modified_count:  # another worker was faster, or it was sent at this moment
                continue
            try:
                given_up.append(_mail(document))
            except UNREADABLE_DOCUMENT:
                log.exception("mail that cannot be read given up", mail_id=document["_id"])
        return given_up

    async def exceeds_limit(self, mail: Mail) -> bool:
        """Whether the account has as many mails of this kind already in the same hour (of the clock) as it may get.

        The number of earlier requests decides, not the number of deliveries: it is the same for every attempt and every
        worker, and needs no counter that a crash could leave wrong.
        """
        limit = RULES[mail.kind].per_hour
        start = _hour(mail.requested_at)
        earlier = await self._collection.count_documents(
            {
                "user_id": mail.user_id,
                "kind": mail.kind.value,
                "requested_at": {"$gte": start, "$lte": mail.requested_at},
                "$or": [{"requested_at": {"$lt": mail.requested_at}}, {"_id": {"$lt": mail.id}}],
            },
            limit=limit,
        )
        return earlier >= limit

    async def end_limited(self, mail: Mail) -> int:
        """End a mail that exceeds the limit, and all queued ones like it that were requested later in the same hour.

        They exceed it, too. A seller of thousands of seats has thousands of them, and one command ends them all.
        Returns how many have ended.
        """
        requested_at = {"$gte": mail.requested_at, "$lt": _hour(mail.requested_at) + timedelta(hours=1)}
        result = await self._collection.update_many(
            {
                "user_id": mail.user_id,
                "kind": mail.kind.value,
                "requested_at": requested_at,
                "$or": [{"requested_at": {"$gt": mail.requested_at}}, {"_id": {"$gte": mail.id}}],
                "state": "queued",
            },
            [{"$set": {"state": "limited", "ended_at": "$$NOW"}}],
        )
        return int(result.modified_count)

    async def has_mail(self, user_id: str, ids: Sequence[str]) -> bool:
        """Whether one of these mails to the account exists, in any state."""
        return await self._collection.find_one({"_id": {"$in": list(ids)}, "user_id": user_id}, {"_id": 1}) is not None

    async def state(self) -> QueueState:
        """The length of the queue, for the metrics."""
        queued = await self._collection.count_documents({"state": "queued"}, hint="queued_next_at")
        rows = await aggregate(
            self._collection,
            [
                {"$match": {"state": "queued"}},
                {"$sort": {"next_at": ASCENDING}},
                {"$limit": 1},
                {"$project": {"milliseconds": {"$subtract": ["$$NOW", "$next_at"]}}},
            ],
            hint="queued_next_at",
        )
        return QueueState(queued, max(0.0, rows[0]["milliseconds"] / 1000) if rows else 0.0)


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _mail(document: Document) -> Mail:
    return Mail(
        id=document["_id"],
        kind=MailKind(document["kind"]),
        user_id=document["user_id"],
        values=document["values"],
        attempts=document["attempts"],
        requested_at=document["requested_at"],
        traceparent=document.get("traceparent"),
    )
