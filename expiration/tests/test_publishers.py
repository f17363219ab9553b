from datetime import UTC, datetime

import pytest

from ticketing_expiration.domain import Deadline
from ticketing_expiration.publishers import expiration_completed

pytestmark = pytest.mark.unit


def test_the_event_carries_the_whole_deadline() -> None:
    expires_at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    deadline = Deadline(id="0123456789abcdef01234567", version=2, expires_at=expires_at)

    event = expiration_completed(deadline)

    assert event.nats_subject == "expiration.completed.0123456789abcdef01234567"
    assert event.source == "/expirations"
    assert event.data.model_dump() == {
        "id": deadline.id,
        "version": 2,
        "order_id": deadline.id,
        "expires_at": expires_at,
    }


def test_the_event_continues_the_trace_of_the_order() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    deadline = Deadline(version=2, expires_at=datetime(2026, 11, 23, 12, tzinfo=UTC), traceparent=traceparent)

    assert expiration_completed(deadline).traceparent == traceparent
