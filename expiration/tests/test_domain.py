import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import utc_now
from ticketing_common.errors import ConflictError
from ticketing_expiration.domain import TRANSITIONS, Deadline, DeadlineStatus
from ticketing_expiration.errors import DeadlineTransitionError

pytestmark = pytest.mark.unit


def deadline(status: DeadlineStatus = DeadlineStatus.PENDING) -> Deadline:
    return Deadline(expires_at=utc_now(), status=status)


def test_a_deadline_begins_pending() -> None:
    assert deadline().status is DeadlineStatus.PENDING


def test_a_deadline_is_completed_once() -> None:
    one = deadline()
    assert one.complete()
    assert not one.complete()
    assert one.status is DeadlineStatus.COMPLETED


def test_a_cancelled_deadline_cannot_be_completed() -> None:
    one = deadline(DeadlineStatus.CANCELLED)
    with pytest.raises(DeadlineTransitionError, match="cannot go from off to completed") as refused:
        one.complete()
    assert isinstance(refused.value, ConflictError)


def test_a_completed_deadline_cannot_be_cancelled() -> None:
    one = deadline(DeadlineStatus.COMPLETED)
    assert not one.cancel()
    assert one.status is DeadlineStatus.COMPLETED


def test_the_table_knows_every_status() -> None:
    assert set(TRANSITIONS) == set(DeadlineStatus)


@given(st.sampled_from(DeadlineStatus), st.lists(st.sampled_from(["complete", "cancel"]), max_size=6))
def test_any_calls_move_the_status_only_along_the_table(start: DeadlineStatus, calls: list[str]) -> None:
    one = deadline(start)
    for call in calls:
        before = one.status
        try:
            changed = getattr(one, call)()
        except DeadlineTransitionError:
            changed = False
        assert changed == (one.status is not before)
        assert one.status is before or one.status in TRANSITIONS[before]
