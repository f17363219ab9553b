"""Checks that mails are delivered; reads two small indexes of auth: the queued mails, and those that were given up."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final, NamedTuple

from ticketing_common.storage import Document

from .databases import Databases
from .invariants import Finding, Moment

LIMIT: Final = 1_000
"""The most mails reported: after an outage of the mail server there may be very many."""
REPORTED: Final = timedelta(days=1)
"""How long a mail that was given up is reported; its document is kept longer."""
FIELDS: Final = ("kind", "user_id", "attempts")


class _Mail(NamedTuple):
    id: str
    kind: str
    user_id: str
    attempts: int


def _mail(found: Document) -> _Mail:
    return _Mail(found["_id"], found["kind"], found["user_id"], found["attempts"])


async def mail_findings(databases: Databases, moment: Moment) -> AsyncIterator[Finding]:
    """Mails that wait beyond their time, and mails that were given up lately."""
    overdue = {"state": "queued", "give_up_at": {"$lt": moment.now - moment.grace}}
    for mail in await databases.rows("auth", "mails", _mail, FIELDS, where=overdue, limit=LIMIT):
        detail = f"{mail.kind} waits beyond its time, after {mail.attempts} attempts"
        yield Finding.of("mail_overdue", detail, mail=mail.id, user=mail.user_id)
    given_up = {"state": "given_up", "ended_at": {"$gt": moment.now - REPORTED}}
    for mail in await databases.rows("auth", "mails", _mail, FIELDS, where=given_up, limit=LIMIT):
        detail = f"{mail.kind} was given up after {mail.attempts} attempts"
        yield Finding.of("mail_given_up", detail, mail=mail.id, user=mail.user_id)
