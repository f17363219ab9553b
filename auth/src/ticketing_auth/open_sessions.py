"""The open sessions of each account, as their owner sees them."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import ClassVar, Final

from ticketing_common.entity import utc_now
from ticketing_common.storage import ASCENDING, DESCENDING, Document, Index, reading
from ticketing_common.storage.store import Store

MOST_LISTED: Final = 100
READ_CHARACTERS: Final = 512
"""Of a User-Agent; browsers send about 150."""

BROWSERS: Final = (
    # The order matters: Edge and Opera also name Chrome, and Chrome also names Safari.
    ("Edge", re.compile(r"Edg(e|A|iOS)?/")),
    ("Opera", re.compile(r"OPR/")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/")),
    ("Firefox", re.compile(r"(Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"(Chrome|CriOS)/")),
    ("Safari", re.compile(r"Safari/")),
)
SYSTEMS: Final = (
    ("iPhone", re.compile(r"iPhone")),
    ("iPad", re.compile(r"iPad")),
    ("Android", re.compile(r"Android")),
    ("Windows", re.compile(r"Windows")),
    ("ChromeOS", re.compile(r"CrOS")),
    ("macOS", re.compile(r"Macintosh")),
    ("Linux", re.compile(r"Linux|X11")),
)


def device_label(user_agent: str) -> str | None:
    """A short name of the browser and its system, such as `Firefox on Windows`; None if neither is known.

    Only these fixed names are stored: no version, and no text that a caller chose. Browsers send less and less in this
    header, so a table of the common names is enough; a parser package knows thousands of devices that no one sees here.
    """
    agent = user_agent[:READ_CHARACTERS]
    browser = next((name for name, pattern in BROWSERS if pattern.search(agent)), None)
    system = next((name for name, pattern in SYSTEMS if pattern.search(agent)), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """A browser's session: the claim `sid` of its tokens. Times are UTC.

    It is open until `expires_at`, when its newest token expires, unless all sessions of its account were ended since
    (`session_epoch`). It has no network address.
    """

    id: str
    user_id: str
    session_epoch: int
    device: str | None
    created_at: datetime
    renewed_at: datetime
    expires_at: datetime


class OpenSessions(Store):
    """One document for each open session. A TTL index removes it once its newest token has expired.

    It is a list for the owner and decides nothing: `RevokedSessions` and the account's epoch do.
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
        Index([("user_id", ASCENDING), ("renewed_at", DESCENDING)], name="sessions_of_a_user"),
    )

    async def store(self, session: OpenSession) -> None:
        """Store a new session, or the renewal of one; a session from before this list is added by its renewal.

        A renewal without a label keeps the present one.
        """
        document = asdict(session)
        session_id = document.pop("id")
        label = {} if session.device else {"$setOnInsert": {"device": document.pop("device")}}
        await self.upsert(session_id, {"$set": document, **label})

    async def list_of_user(self, user_id: str, *, epoch: int) -> list[OpenSession]:
        """The account's open sessions, the last renewed first, at most 100."""
        with reading(self.collection):
            found = self.collection.find(_open(user_id, epoch)).sort("renewed_at", DESCENDING).limit(MOST_LISTED)
            return [_session(document) for document in await found.to_list(None)]

    async def find(self, session_id: str, *, user_id: str, epoch: int) -> OpenSession | None:
        """This session, if it is one of the account and open."""
        with reading(self.collection):
            document = await self.collection.find_one({"_id": session_id} | _open(user_id, epoch))
        return _session(document) if document else None

    async def remove(self, session_id: str) -> None:
        """Remove an ended session; idempotent."""
        await self.collection.delete_one({"_id": session_id})

    async def remove_of_user(self, user_id: str) -> None:
        """Remove all sessions of an account; idempotent."""
        await self.collection.delete_many({"user_id": user_id})


def _open(user_id: str, epoch: int) -> Document:
    return {"user_id": user_id, "session_epoch": {"$gte": epoch}, "expires_at": {"$gt": utc_now()}}


def _session(document: Document) -> OpenSession:
    return OpenSession(
        id=document["_id"], **{name: document[name] for name in OpenSession.__dataclass_fields__ if name != "id"}
    )
