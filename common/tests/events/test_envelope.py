import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import utc_now
from ticketing_common.errors import PermanentError
from ticketing_common.events import CATALOGUE, ExpirationCompleted, ExpirationData, OrderCreated, parse_event
from ticketing_common.topology import STREAM_SUBJECTS

pytestmark = pytest.mark.unit

ORDER_ID = "0123456789abcdef01234567"
DATA = ExpirationData(
    id=ORDER_ID, version=3, order_id=ORDER_ID, expires_at=datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
)


def test_an_event_is_a_cloud_event_about_its_aggregate() -> None:
    event = ExpirationCompleted.of(DATA)

    assert event.specversion == "1.0"
    assert event.type == "dev.ticketing.expiration.completed.v1"
    assert event.source == "/expirations"
    assert event.subject == ORDER_ID
    assert event.nats_subject == f"expiration.completed.{ORDER_ID}"


def test_two_events_never_share_an_id() -> None:
    assert ExpirationCompleted.of(DATA).id != ExpirationCompleted.of(DATA).id


def test_what_is_sent_is_what_is_read() -> None:
    event = ExpirationCompleted.of(DATA)
    assert parse_event(event.nats_subject, event.to_json()) == event


def test_an_absent_trace_is_left_out_and_a_present_one_is_sent() -> None:
    event = ExpirationCompleted.of(DATA)
    assert b"traceparent" not in event.to_json()

    traced = event.model_copy(update={"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    read = parse_event(traced.nats_subject, traced.to_json())
    assert read.traceparent == traced.traceparent


YEARS = (datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 (Hypothesis takes them without a zone)
"""So that the moment is within the years 1 to 9999 in UTC, too."""


@given(st.datetimes(*YEARS, timezones=st.just(timezone(timedelta(hours=5, minutes=30)))), st.integers(1, 10**9))
def test_a_moment_survives_the_wire_whatever_its_offset(moment: datetime, version: int) -> None:
    event = ExpirationCompleted.of(DATA.model_copy(update={"expires_at": moment, "version": version}))
    read = parse_event(event.nats_subject, event.to_json())
    assert isinstance(read, ExpirationCompleted)
    assert read.data.expires_at == moment
    assert read.data.version == version


def test_a_reader_ignores_fields_that_it_does_not_know() -> None:
    event = ExpirationCompleted.of(DATA)
    body = event.to_json().replace(b'"order_id"', b'"a_later_idea":true,"order_id"')
    assert parse_event(event.nats_subject, body) == event


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("expiration.completed.x", b"{"),
        ("expiration.completed.x", b"[]"),
        ("expiration.completed.x", b"{}"),
        ("expiration.completed.x", b"\xff\xfe"),
        ("expiration.forgotten.x", b"{}"),
        ("nonsense", b"{}"),
        ("", b""),
    ],
)
def test_what_can_never_be_read_is_a_permanent_error(subject: str, body: bytes) -> None:
    with pytest.raises(PermanentError):
        parse_event(subject, body)


def test_another_major_version_is_a_permanent_error() -> None:
    event = ExpirationCompleted.of(DATA)
    body = event.to_json().replace(b"completed.v1", b"completed.v2")
    with pytest.raises(PermanentError, match=r"completed\.v2"):
        parse_event(event.nats_subject, body)


def test_an_event_on_the_subject_of_another_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError):
        parse_event(f"{OrderCreated.NAME}.{ORDER_ID}", ExpirationCompleted.of(DATA).to_json())


def test_a_version_below_one_is_no_event() -> None:
    event = ExpirationCompleted.of(DATA)
    with pytest.raises(PermanentError):
        parse_event(event.nats_subject, event.to_json().replace(b'"version":3', b'"version":0'))


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_event_has_a_stream_that_takes_it(name: str) -> None:
    assert name == CATALOGUE[name].NAME
    assert f"{name.partition('.')[0]}.>" in STREAM_SUBJECTS.values()


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+00:01"])
def test_a_time_that_cannot_be_stored_is_a_permanent_error(moment: str) -> None:
    event = ExpirationCompleted.of(ExpirationData(id="a" * 24, version=1, order_id="a" * 24, expires_at=utc_now()))
    body = json.loads(event.to_json())
    body["data"]["expires_at"] = moment
    with pytest.raises(PermanentError):
        parse_event(event.nats_subject, json.dumps(body).encode())
