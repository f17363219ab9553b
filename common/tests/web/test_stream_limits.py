"""Limits of event streams per address and user, and the reserved share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ticketing_common.errors import OverloadedError, TooManyRequestsError
from ticketing_common.settings import ServiceSettings
from ticketing_common.web import Viewer
from ticketing_common.web.stream_limits import FEW, StreamLimits

pytestmark = pytest.mark.unit

MakeLimits = Callable[..., StreamLimits]


@pytest.fixture
def make_limits() -> MakeLimits:
    def make(**limits: int) -> StreamLimits:
        required = {"service_name": "things", "mongo_url": "mongodb://unused", "jwt_public_keys": []}
        return StreamLimits(ServiceSettings.model_validate(required | limits))

    return make


@pytest.fixture
def streams() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_one_address_gets_its_share_and_the_next_one_another(make_limits: MakeLimits, streams: ExitStack) -> None:
    of_replica = make_limits()
    for _ in range(200):
        streams.enter_context(of_replica.take(Viewer("203.0.113.1")))
    with pytest.raises(TooManyRequestsError) as refused:
        streams.enter_context(of_replica.take(Viewer("203.0.113.1")))
    assert refused.value.retry_after_seconds > 0
    with of_replica.take(Viewer("203.0.113.2")):
        assert of_replica.taken == 201


def test_one_user_gets_as_many_from_all_addresses_together(make_limits: MakeLimits, streams: ExitStack) -> None:
    of_replica = make_limits(max_streams_per_user=3)
    for number in range(3):
        streams.enter_context(of_replica.take(Viewer(f"203.0.113.{number}", "buyer")))
    with pytest.raises(TooManyRequestsError):
        streams.enter_context(of_replica.take(Viewer("203.0.113.9", "buyer")))
    streams.enter_context(of_replica.take(Viewer("203.0.113.9", "another")))


def test_the_last_streams_are_reserved_for_viewers_with_few(make_limits: MakeLimits, streams: ExitStack) -> None:
    of_replica = make_limits(max_streams=100)
    for number in range(80):
        streams.enter_context(of_replica.take(Viewer(f"203.0.113.{number % 8}")))
    with pytest.raises(OverloadedError):
        streams.enter_context(of_replica.take(Viewer("203.0.113.1")))
    for _ in range(FEW):
        streams.enter_context(of_replica.take(Viewer("198.51.100.1")))
    with pytest.raises(OverloadedError):
        streams.enter_context(of_replica.take(Viewer("198.51.100.1")))
    # Behind an address with many streams, a user is judged by the user's own.
    streams.enter_context(of_replica.take(Viewer("203.0.113.1", "buyer")))
    for number in range(100 - of_replica.taken):
        streams.enter_context(of_replica.take(Viewer(f"192.0.2.{number}")))
    with pytest.raises(OverloadedError):
        streams.enter_context(of_replica.take(Viewer("192.0.2.200")))


def test_a_closed_stream_frees_its_slot_and_leaves_no_entry(make_limits: MakeLimits) -> None:
    of_replica = make_limits(max_streams_per_address=1, max_streams_per_user=1)
    for _ in range(3):
        with of_replica.take(Viewer("203.0.113.1", "buyer")):
            assert of_replica.taken == 1
    assert of_replica.taken == 0
    assert not of_replica._by_address
    assert not of_replica._by_user


def test_a_limit_of_zero_is_no_limit(make_limits: MakeLimits, streams: ExitStack) -> None:
    of_replica = make_limits(max_streams_per_address=0, max_streams_per_user=0)
    for _ in range(300):
        streams.enter_context(of_replica.take(Viewer("203.0.113.1", "buyer")))
