"""The limit of wrong passwords, or of wrong codes, of each account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import ClassVar

from ticketing_common.entity import seconds_until, utc_now
from ticketing_common.storage import ASCENDING, Collection, DatabaseUnavailableError, Document, Index, reading
from ticketing_common.storage.store import Store
from ticketing_common.telemetry import get_logger

from .domain import GuessRules

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guess:
    """One password or code given for an account. If it is not `admitted`, it must not be checked now."""

    id: str
    admitted: bool
    retry_after_seconds: int = 0


class GuessLimit(Store):
    """Limits an account's wrong and unchecked passwords, or codes, and counts them in one document per account.

    All replicas share the count, and a restart keeps it. MongoDB applies one operation at a time to a document and uses
    its own clock, so concurrent guesses are counted correctly, and no replica's clock matters. A document holds at most
    as many guesses as the limit. It is removed when its last guess leaves the window.
    """

    INDEXES: ClassVar[Sequence[Index]] = (Index([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),)

    def __init__(self, collection: Collection, rules: GuessRules | None) -> None:
        """None: no limit, and nothing is counted."""
        super().__init__(collection)
        self._rules = rules

    async def reserve(self, account: str, *, device_id: str | None) -> Guess:
        """Count a guess before it is checked, unless the limit is reached.

        `device_id` names a known device; None means an unknown one. A refused guess is not counted: the account accepts
        guesses again when the oldest guess leaves the window, however many are refused before.
        """
        guess_id = token_hex(8)
        if self._rules is None:
            return Guess(guess_id, admitted=True)
        found = await self.upsert(account, _reservation(guess_id, self._rules, device_id))
        guesses: list[Document] = found["guesses"]
        if any(guess["id"] == guess_id for guess in guesses):
            return Guess(guess_id, admitted=True)
        return Guess(guess_id, admitted=False, retry_after_seconds=_wait(guesses, self._rules, device_id))

    async def release(self, account: str, guess: Guess) -> None:
        """Remove a guess that was right, or was not checked; idempotent.

        If the database is unavailable, the guess stays counted, and no error is raised: the guess is right all the
        same.
        """
        if self._rules is None:
            return
        try:
            await self.collection.update_one({"_id": account}, {"$pull": {"guesses": {"id": guess.id}}})
        except DatabaseUnavailableError as error:
            log.warning("right guess stays counted", error=repr(error))

    async def list_of(self, account: str) -> list[datetime]:
        """The times (UTC) of the account's counted guesses, oldest first; some may have left the window."""
        with reading(self.collection):
            found = await self.collection.find_one({"_id": account}, {"guesses.at": 1})
        return [guess["at"] for guess in found["guesses"]] if found else []


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
    return seconds_until(oldest + rules.window)
