"""Golden bodies: the current code reads every released event, and its events break no released reader."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticketing_common.events import CATALOGUE, Event, OrderEvent, PaymentEvent, TicketEvent, parse_event
from ticketing_common.events.documents import documents, event_schema
from ticketing_testkit.contracts import incompatibilities

pytestmark = pytest.mark.unit

CONTRACTS = Path(__file__).parent / "contracts"
DOCUMENTS = Path(__file__).parents[1] / "docs" / "events"


def golden(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((CONTRACTS / f"{name}.json").read_text())
    return body


def contract(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((CONTRACTS / f"{name}.schema.json").read_text())
    return schema


def test_every_event_has_a_golden_body_and_no_other_file_exists() -> None:
    bodies = {file.name.removesuffix(".json") for file in CONTRACTS.glob("*.json") if ".schema" not in file.name}
    assert bodies == set(CATALOGUE)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_golden_body_is_read_and_written_back_as_it_was(name: str) -> None:
    body = golden(name)
    event = parse_event(f"{name}.{body['subject']}", json.dumps(body).encode())
    written = json.loads(event.to_json())
    later = written["data"].keys() - body["data"].keys()  # fields that are newer than the body
    fields = type(event).model_fields["data"].annotation.model_fields  # type: ignore[union-attr]
    assert {name: written["data"].pop(name) for name in later} == {name: fields[name].default for name in later}
    assert written == body


@pytest.mark.parametrize("name", [name for name in sorted(CATALOGUE) if name.startswith("payment.")])
def test_a_payment_published_before_refunds_existed_is_not_refunded(name: str) -> None:
    body = golden(name)
    for field in ("refunded_cents", "disputed"):
        body["data"].pop(field, None)
    event = parse_event(f"{name}.{body['subject']}", json.dumps(body).encode())
    assert isinstance(event, PaymentEvent)
    assert (event.data.refunded_cents, event.data.disputed) == (0, False)


@pytest.mark.parametrize("name", [name for name in sorted(CATALOGUE) if name.startswith("order.")])
def test_an_order_of_an_earlier_version_has_seat_1(name: str) -> None:
    body = golden(name)
    del body["data"]["seats"], body["data"]["ticket"]["quantity"], body["data"]["ticket"]["user_id"]
    event = parse_event(f"{name}.{body['subject']}", json.dumps(body).encode())
    assert isinstance(event, OrderEvent)
    assert (event.data.seats, event.data.ticket.quantity, event.data.total_cents) == ((1,), 1, 3_100)


@pytest.mark.parametrize("status", ["available", "held", "sold"])
@pytest.mark.parametrize("name", [name for name in sorted(CATALOGUE) if name.startswith("ticket.")])
def test_a_listing_of_an_earlier_version_has_one_seat(name: str, status: str) -> None:
    body = golden(name)
    del body["data"]["quantity"], body["data"]["highest_seat"], body["data"]["available"]
    body["data"]["status"] = status
    event = parse_event(f"{name}.{body['subject']}", json.dumps(body).encode())
    assert isinstance(event, TicketEvent)
    assert (event.data.quantity, event.data.highest_seat) == (1, 1)
    assert event.data.free_seats == (1 if status == "available" else 0)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_reader_ignores_what_it_does_not_know(name: str) -> None:
    body = golden(name)
    body["futureattribute"] = "x"
    body["data"]["future_field"] = {"nested": True}
    event = parse_event(f"{name}.{body['subject']}", json.dumps(body).encode())
    assert isinstance(event, Event)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_todays_schema_keeps_the_contract(name: str) -> None:
    assert incompatibilities(contract(name), event_schema(name)) == []


def _remove(schema: dict[str, Any]) -> None:
    del schema["$defs"]["OrderData"]["properties"]["expires_at"]


def _rename(schema: dict[str, Any]) -> None:
    properties = schema["$defs"]["OrderData"]["properties"]
    properties["deadline"] = properties.pop("expires_at")


def _retype(schema: dict[str, Any]) -> None:
    schema["$defs"]["OrderTicket"]["properties"]["price_cents"]["type"] = "string"


def _retype_time(schema: dict[str, Any]) -> None:
    schema["$defs"]["OrderData"]["properties"]["expires_at"] = {"type": "string", "format": "date"}


def _drop_a_status(schema: dict[str, Any]) -> None:
    schema["$defs"]["OrderStatus"]["enum"].remove("complete")


def _add_a_status(schema: dict[str, Any]) -> None:
    schema["$defs"]["OrderStatus"]["enum"].append("waiting")


def _require_more(schema: dict[str, Any]) -> None:
    schema["$defs"]["OrderData"]["properties"]["coupon"] = {"type": "string"}
    schema["$defs"]["OrderData"]["required"].append("coupon")


def _add_optional(schema: dict[str, Any]) -> None:
    schema["$defs"]["OrderData"]["properties"]["coupon"] = {"type": "string", "default": ""}


@pytest.mark.parametrize("change", [_remove, _rename, _retype, _retype_time, _drop_a_status, _require_more])
def test_a_change_that_breaks_a_reader_is_found(change: Callable[[dict[str, Any]], None]) -> None:
    changed = copy.deepcopy(contract("order.created"))
    change(changed)
    assert incompatibilities(contract("order.created"), changed)


@pytest.mark.parametrize("change", [_add_optional, _add_a_status])
def test_an_optional_field_or_a_member_may_be_added(change: Callable[[dict[str, Any]], None]) -> None:
    changed = copy.deepcopy(contract("order.created"))
    change(changed)
    assert incompatibilities(contract("order.created"), changed) == []


def test_the_documents_are_those_of_the_models() -> None:
    made = documents()
    there = {file.name: file.read_text() for file in DOCUMENTS.glob("*.json")}
    assert there == made, "run `make docs`"
