"""Reads Stripe's events from a signed webhook or from Stripe's list. Only identifiers are read, and each is checked.

The rest of an event is not used, since Stripe sends events late, twice and in any order. A malformed identifier would
get into queries and stay in the inbox. So the event is refused, or treated as one about another system's payment.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import stripe
from pydantic_core import from_json

from ticketing_common.entity import ID_PATTERN
from ticketing_common.telemetry import get_logger
from ticketing_payments.domain import MONEY_BACK, StripeEvent
from ticketing_payments.errors import WebhookSignatureError

log = get_logger(__name__)

LONGEST_SIGNATURE: Final = 1024
"""A header has a time and one signature per active secret, about 200 characters (https://docs.stripe.com/webhooks)."""
_EVENT_ID: Final = re.compile(r"evt_[A-Za-z0-9_]{1,250}")
_EVENT_TYPE: Final = re.compile(r"[a-z0-9_.]{1,100}")
_INTENT_ID: Final = re.compile(r"pi_[A-Za-z0-9_]{1,250}")
_CHARGE_ID: Final = re.compile(r"(ch|py)_[A-Za-z0-9_]{1,250}")
_PAYMENT_ID: Final = re.compile(ID_PATTERN)
LATEST_TIME: Final = 2**53


def read_webhook(body: bytes, signature: str | None, secret: str) -> StripeEvent:
    """Check the signature of the raw bytes, at most 5 minutes old, and read the event.

    Raises `WebhookSignatureError`, also for a signed body that is not an event (https://docs.stripe.com/webhooks).
    """
    if signature is None or len(signature) > LONGEST_SIGNATURE:
        raise WebhookSignatureError("Not signed by Stripe, or too long ago.")
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=stripe.Webhook.DEFAULT_TOLERANCE)
    except (stripe.SignatureVerificationError, ValueError):
        raise WebhookSignatureError("Not signed by Stripe, or too long ago.") from None
    try:
        return read_event(from_json(body))
    except ValueError:
        raise WebhookSignatureError("Not an event of Stripe.") from None


def read_event(event: Any) -> StripeEvent:
    """The identifiers in an event (https://docs.stripe.com/api/events/object). Raises `ValueError` if it is none."""
    fields = _mapping(event)
    event_id, event_type = _name(fields.get("id"), _EVENT_ID), _name(fields.get("type"), _EVENT_TYPE)
    if event_id is None or event_type is None:
        raise ValueError("not an event")
    created = fields.get("created")
    at = created if isinstance(created, int) and 0 <= created < LATEST_TIME else 0
    subject = _mapping(_mapping(fields.get("data")).get("object"))
    kind = subject.get("object")
    if kind == "payment_intent":
        payment_id = _name(_mapping(subject.get("metadata")).get("payment_id"), _PAYMENT_ID)
        return StripeEvent(event_id, event_type, payment_id, created=at)
    if event_type not in MONEY_BACK:
        return StripeEvent(event_id, event_type, created=at)
    charge = subject.get("id") if kind == "charge" else subject.get("charge")
    return StripeEvent(
        event_id,
        event_type,
        intent_id=_name(subject.get("payment_intent"), _INTENT_ID),
        charge_id=_name(charge, _CHARGE_ID),
        created=at,
    )


def read_events(listed: Iterable[stripe.Event]) -> list[StripeEvent]:
    """The events of Stripe's list. One that cannot be read is logged and skipped."""
    events = []
    for found in listed:
        try:
            events.append(read_event(found.to_dict()))
        except ValueError:
            log.error("unreadable event in stripe's list")
    return events


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _name(found: Any, form: re.Pattern[str]) -> str | None:
    """The identifier if it has this form, else None. `found` may be an expanded object; then its id is used."""
    if isinstance(found, Mapping):
        found = found.get("id")
    return found if isinstance(found, str) and form.fullmatch(found) else None
