"""An event or document that cannot be handled does not block later ones."""

import json
from datetime import timedelta
from typing import Any

import pytest
import stripe as stripe_library
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import MONEY_BACK, Payment, StripeEvent
from ticketing_payments.errors import WebhookSignatureError
from ticketing_payments.service.stripe_event_processor import SWEEP_LIMIT
from ticketing_payments.stripe_gateway.events import LONGEST_SIGNATURE, read_event, read_events, read_webhook
from ticketing_testkit.bank import Bank

from ..scenario import MakeScenario, Scenario, Sign, Stores, make_order

SECRET = "whsec_of_the_tests"


def signed(body: str) -> tuple[bytes, str]:
    return body.encode("utf-8", "surrogatepass"), stripe_library.WebhookSignature.generate_signature_header(
        body, SECRET
    )


def event(**changes: Any) -> dict[str, Any]:
    return {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {}}} | changes


def about(**subject: Any) -> dict[str, Any]:
    return event(data={"object": {"object": "payment_intent", **subject}})


@pytest.mark.parametrize(
    "poison",
    [
        about(metadata={"payment_id": {"$gt": ""}}),
        about(metadata={"payment_id": ["a"]}),
        about(metadata={"payment_id": 7}),
        about(metadata={"payment_id": "x" * 100_000}),
        about(metadata=[]),
        about(metadata="x"),
        event(data=None),
        event(data={"object": 2**70}),
        event(created=2**70),
        event(created=True),
        event(type="refund.created", data={"object": {"object": "refund", "payment_intent": {"$ne": 1}, "charge": 5}}),
        event(type="charge.refunded", data={"object": {"object": "charge", "id": "pi_\u0000", "payment_intent": []}}),
    ],
)
def test_a_signed_event_with_strange_names_is_about_no_payment_of_ours(poison: dict[str, Any]) -> None:
    found = read_webhook(*signed(json.dumps(poison)), SECRET)
    assert (found.payment_id, found.intent_id, found.charge_id) == (None, None, None)
    assert 0 <= found.created < 2**53


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(event(id={"$gt": ""})),
        json.dumps(event(id="evt_" + "x" * 10_000)),
        json.dumps(event(id=None)),
        json.dumps(event(type=["a"])),
        json.dumps(event(type="a" * 1_000)),
        '{"id": "evt_\\ud800", "type": "a", "data": {}}',
        "[" * 100_000,
        '{"a":' * 50_000,
        "null",
        "",
    ],
)
def test_a_signed_body_that_is_not_an_event_is_refused(body: str) -> None:
    with pytest.raises(WebhookSignatureError):
        read_webhook(*signed(body), SECRET)


def test_a_signature_is_measured_before_it_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_library.WebhookSignature, "verify_header", None)  # a call would raise TypeError
    with pytest.raises(WebhookSignatureError):
        read_webhook(b"{}", "v1=" * LONGEST_SIGNATURE, SECRET)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=8,
)
subjects = st.fixed_dictionaries(
    {},
    optional={
        "object": st.sampled_from(["payment_intent", "charge", "refund", "dispute"]) | json_values,
        "id": json_values,
        "metadata": st.fixed_dictionaries({}, optional={"payment_id": json_values}) | json_values,
        "payment_intent": st.sampled_from(["pi_1", {"id": "pi_1"}]) | json_values,
        "charge": json_values,
    },
)


@pytest.mark.unit
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(["payment_intent.succeeded", *MONEY_BACK]), data=subjects | json_values, at=json_values)
def test_identifiers_of_any_event_have_their_form_or_are_none(kind: str, data: object, at: object) -> None:
    found = read_event({"id": "evt_1", "type": kind, "created": at, "data": {"object": data}})
    assert all(name is None or isinstance(name, str) for name in (found.payment_id, found.intent_id, found.charge_id))
    assert found.payment_id is None or len(found.payment_id) == 24
    assert 0 <= found.created < 2**53


def test_an_unreadable_entry_of_stripes_list_is_skipped() -> None:
    listed = [stripe_library.Event.construct_from(one, "sk") for one in (event(id=5), event(type="refund.created"))]
    assert [found.type for found in read_events(listed)] == ["refund.created"]


async def test_a_malformed_event_in_the_inbox_blocks_neither_events_nor_payments(
    scenario: Scenario, bank: Bank, stores: Stores, sign: Sign
) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    old = {"type": "payment_intent.succeeded", "received_at": utc_now() - timedelta(days=1), "applied": False}
    # Stored as an earlier release did.
    poison = [{"_id": f"evt_poison_{number}", **old, "payment_id": {"$gt": number}} for number in range(3)]
    await stores.inbox.collection.insert_many(poison)
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert await stores.inbox.list_unapplied(utc_now() + timedelta(days=1), limit=9) == []


async def test_events_that_always_fail_do_not_block_later_events(
    scenario: Scenario, bank: Bank, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are more of them than one round handles, and each raises an unexpected error."""
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    ids = [new_id() for _ in range(SWEEP_LIMIT + 1)]
    for number, payment_id in enumerate([*ids, payment.id]):
        await stores.inbox.add(StripeEvent(f"evt_{number}", "payment_intent.succeeded", payment_id))
        await stores.inbox.collection.update_one(
            {"_id": f"evt_{number}"}, {"$set": {"due_at": utc_now() - timedelta(minutes=5, seconds=-number)}}
        )
    get = stores.payments.get

    async def poisonous(payment_id: str) -> Payment:
        if payment_id in ids:
            raise TypeError("unhashable")
        return await get(payment_id)

    monkeypatch.setattr(stores.payments, "get", poisonous)
    before = REGISTRY.get_sample_value("stripe_events_failed_total") or 0
    for _ in range(2):
        await scenario.service.reconcile()
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    failed = (REGISTRY.get_sample_value("stripe_events_failed_total") or 0) - before
    assert failed >= len(ids), "on a slow machine the first are due again in the second round"
    assert len(await stores.inbox.list_unapplied(utc_now() + timedelta(hours=2), limit=500)) == len(ids), "kept"


async def test_a_payment_whose_check_raises_blocks_no_other(
    scenario: Scenario, make_scenario: MakeScenario, bank: Bank, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_scenario(make_order())
    await other.service.follow_order(other.order)
    payments = [await one.pay(await bank.card()) for one in (scenario, other)]
    for payment in payments:
        await bank.authenticate(payment.stripe_id, success=True)
    advance = scenario.service.advance

    async def poisonous(payment_id: str, **changes: Any) -> Payment:
        if payment_id == payments[0].id:
            raise TypeError("unheard of")
        return await advance(payment_id, **changes)

    monkeypatch.setattr(scenario.service, "advance", poisonous)
    for payment in payments:
        await stores.payments.check_later(payment.id, utc_now() - timedelta(seconds=1))
    await scenario.service.reconcile()
    assert await other.statuses() == [PaymentStatus.AUTHORIZED]
    assert await scenario.statuses() == [PaymentStatus.REQUIRES_ACTION]
    (first,) = await scenario.payments()
    assert first.check_at is not None
    assert first.check_at > utc_now(), "postponed"


@pytest.mark.parametrize("part", ["forget_secrets", "list_to_check"])
async def test_a_part_that_fails_stops_no_other(
    scenario: Scenario, bank: Bank, stores: Stores, monkeypatch: pytest.MonkeyPatch, part: str, sign: Sign
) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)

    async def fail(*_: object, **__: object) -> None:
        raise OSError("away")

    fail.__name__ = part
    monkeypatch.setattr(stores.payments, part, fail)
    await stores.inbox.add(StripeEvent("evt_behind", "payment_intent.succeeded", payment.id))
    await stores.inbox.collection.update_many({}, {"$unset": {"due_at": ""}})
    await scenario.service.reconcile()
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
