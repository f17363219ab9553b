"""Reads ended sessions from the stream USERS, in every replica."""

import sys
from typing import Final

from ticketing_common.events import UserEvent, UserSessionEnded, parse_event
from ticketing_common.messaging import NatsConnection
from ticketing_common.security import SessionRevocations
from ticketing_common.telemetry.metrics import REVOCATIONS_CURRENT
from ticketing_common.topology import USERS

from .stream_reader import StreamReader

EVERYTHING: Final = sys.maxsize
"""The stream keeps 7 days, and tokens are valid for minutes: each event says how long it matters."""


def revocation_reader(connection: NatsConnection, revocations: SessionRevocations, *, service: str) -> StreamReader:
    """A reader that fills `revocations`. It is caught up, and the service ready, when it has read the whole stream.

    While NATS is away, the service continues with what it knows, and the metric `session_revocations_current` is 0;
    readiness follows the rules of the connection. Afterwards the reader continues where it was, so nothing is missed.
    If the stream was lost, what is known stays.
    """

    def note(_sequence: int, subject: str, body: bytes) -> None:
        event = parse_event(subject, body)
        if isinstance(event, UserEvent):
            revocations.note(event.data)
        elif isinstance(event, UserSessionEnded):
            revocations.note_session(event.data)

    reader = StreamReader(connection, USERS, on_event=note, on_gap=lambda: None, history=EVERYTHING)
    REVOCATIONS_CURRENT.labels(service).set_function(lambda: float(reader.caught_up and connection.connected))
    return reader
