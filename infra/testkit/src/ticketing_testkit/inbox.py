"""The mails that the local mail server received: one file each, as received."""

import itertools
import os
import re
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from pathlib import Path
from threading import Lock
from typing import Final

MOST: Final = 1_000
"""Older mails are deleted, so that a long run does not fill the disk."""
_UNREADABLE: Final = (LookupError, ValueError, AttributeError, TypeError, MessageError)
"""What the standard library raises for malformed headers and unknown encodings: such a mail must not hide others."""
_ID: Final = re.compile(r"[0-9]{20}-[0-9]{6}")


@dataclass(frozen=True)
class StoredMail:
    """One mail. `id` sorts by the time of arrival. All texts come from the sender, and are not trusted."""

    id: str
    message: EmailMessage

    @property
    def received_at(self) -> datetime:
        """The time of arrival, UTC."""
        return datetime.fromtimestamp(int(self.id.partition("-")[0]) / 1e9, tz=UTC)

    def header(self, name: str) -> str:
        """A header as text; empty if it is missing, or if it cannot be read."""
        with suppress(*_UNREADABLE):
            return str(self.message[name] or "")
        return ""

    def body(self, kind: str) -> str | None:
        """The part of this kind, `plain` or `html`; None if there is none, or if it cannot be read."""
        with suppress(*_UNREADABLE):
            part = self.message.get_body((kind,))
            return str(part.get_content()) if part is not None else None
        return None

    def facts(self) -> dict[str, str]:
        """The id, the time of arrival and the usual headers, for programs."""
        headers = {"from": "From", "to": "To", "subject": "Subject", "messageId": "Message-ID"}
        received = {"id": self.id, "receivedAt": self.received_at.isoformat()}
        return received | {name: self.header(header) for name, header in headers.items()}


class Inbox:
    """The stored mails of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()
        self._kept: deque[str] | None = None
        """The ids of all mails, oldest first; listing the directory for each mail would take longer with every mail."""
        self._lock = Lock()

    def add(self, content: bytes) -> str:
        """Store a mail and return its id. A reader never sees a part of it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        mail_id = f"{time.time_ns():020}-{next(self._numbers) % 1_000_000:06}"
        temporary = self._directory / f"{mail_id}.new"
        temporary.write_bytes(content)
        os.replace(temporary, self._path(mail_id))
        with self._lock:
            if self._kept is None:
                self._kept = deque(reversed(self.ids()))
            else:
                self._kept.append(mail_id)
            while len(self._kept) > MOST:
                self._path(self._kept.popleft()).unlink(missing_ok=True)
        return mail_id

    def ids(self) -> Sequence[str]:
        """The ids of all mails, newest first."""
        found = (file.stem for file in self._directory.glob("*.eml"))
        return sorted((one for one in found if _ID.fullmatch(one)), reverse=True)

    def find(self, mail_id: str) -> StoredMail | None:
        """The mail with this id; None if there is none."""
        if not _ID.fullmatch(mail_id):
            return None
        try:
            content = self._path(mail_id).read_bytes()
        except FileNotFoundError:
            return None
        return StoredMail(mail_id, message_from_bytes(content, policy=policy.default))

    def mails(self, limit: int) -> Sequence[StoredMail]:
        """The newest mails, newest first."""
        return [mail for mail_id in self.ids()[:limit] if (mail := self.find(mail_id)) is not None]

    def _path(self, mail_id: str) -> Path:
        return self._directory / f"{mail_id}.eml"
