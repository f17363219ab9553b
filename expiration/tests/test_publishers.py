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
