"""A small, consistent marketplace, written directly into real databases, a real bus and the Stripe double."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx
from nats.js.api import ConsumerConfig
from pymongo import MongoClient

from ticketing_common.entity import new_id, utc_now
from ticketing_common.messaging import consumer_config
from ticketing_common.topology import STREAM_SUBJECTS
from ticketing_ops.audit import AuditAddresses

LONG_AGO = timedelta(hours=1)
PRICE = 2550


def consumer(durable: str, stream: str) -> ConsumerConfig:
    """A durable as a service declares it, except for its limits."""
    return consumer_config(
        durable,
        filter_subjects=[STREAM_SUBJECTS[stream]],
        ack_wait_seconds=30,
        max_ack_pending=100,
        max_deliver=1_000,
        replicas=1,
    )


class Marketplace:
    """Four orders (paid, held, cancelled, refunded), three of a listing of five seats, check-ins; all an hour old."""

    def __init__(self, addresses: AuditAddresses, mongo: MongoClient[dict[str, Any]]) -> None:
        self.addresses = addresses
        self._mongo = mongo
        self._stripe = httpx.Client(base_url=addresses.stripe_url, auth=(addresses.stripe_key, ""), trust_env=False)
        self._stripe.delete("/_config/data").raise_for_status()
        self.long_ago = utc_now() - LONG_AGO
        self.seller, self.buyer = new_id(), new_id()
        for user in (self.seller, self.buyer):
            self.put("auth", "users", user, version=1, email=f"{user}@example.com", outbox=[])
        self.sold, self.paid_order, self.payment, self.intent = self._paid()
        self.held, self.held_order = self._held()
        self.free_ticket, self.cancelled_order, self.voided, self.cancelled_intent = self._free_ticket()
        self.refunded_order, self.checkin_of_refunded = self._refunded()
        self.many, self.order_of_two = self._many()
        self.checkin = self.check_in(self.paid_order, self.sold)

    def close(self) -> None:
        self._stripe.close()

    # --- writing -------------------------------------------------------------------------------------------------

    def collection(self, service: str, name: str) -> Any:
        return self._mongo[self.addresses.database(service)][name]

    def put(self, service: str, name: str, key: str, **fields: Any) -> None:
        times = {"created_at": self.long_ago, "updated_at": self.long_ago}
        self.collection(service, name).replace_one({"_id": key}, {**times, **fields}, upsert=True)

    def change(self, service: str, name: str, key: str, **fields: Any) -> None:
        assert self.collection(service, name).update_one({"_id": key}, {"$set": fields}).matched_count == 1

    def remove(self, service: str, name: str, key: str) -> None:
        assert self.collection(service, name).delete_one({"_id": key}).deleted_count == 1

    def ticket(self, status: str, order_id: str | None, *, key: str | None = None, **more: Any) -> str:
        key = key or new_id()
        fields = {
            "version": 3,
            "status": status,
            "order_id": order_id,
            "user_id": self.seller,
            "price_cents": PRICE,
            **more,
        }
        self.put("tickets", "tickets", key, **fields, outbox=[])
        self.put("orders", "tickets", key, **fields)
        return key

    def order(
        self, status: str, ticket: str, *, key: str | None = None, payment: str | None = None, **more: Any
    ) -> str:
        key = key or new_id()
        fields = {
            "version": 2,
            "status": status,
            "user_id": self.buyer,
            "expires_at": utc_now().replace(microsecond=0) + LONG_AGO,
            "payment_id": payment,
            "ticket": {"id": ticket, "title": "A seat", "price_cents": PRICE, "currency": "usd"},
            **more,
        }
        self.put("orders", "orders", key, **fields, outbox=[])
        self.put("tickets", "orders", key, **fields)
        self.put("payments", "orders", key, **fields)
        deadline = "pending" if status == "created" else "off"
        self.put("expiration", "deadlines", key, version=1, status=deadline, expires_at=fields["expires_at"], outbox=[])
        return key

    def pay(
        self, order: str, status: str, intent: str | None, *, key: str | None = None, attempt: int = 1, **more: Any
    ) -> str:
        key = key or new_id()
        fields = {
            "version": 4,
            "order_id": order,
            "attempt": attempt,
            "status": status,
            "amount_cents": PRICE,
            "currency": "usd",
            "stripe_id": intent,
            "check_at": None,
            **more,
        }
        self.put("payments", "payments", key, **fields, outbox=[])
        if status in ("authorized", "captured", "failed", "refunded"):
            copied = {**fields, "version": 3, "status": "authorized"} if status == "captured" else fields
            self.put("orders", "payments", key, **copied)
        return key

    def check_in(self, order: str, ticket: str, **more: Any) -> str:
        """The pass of seat 1, unless `more` says another."""
        key, seat = new_id(), more.get("seat", 1)
        pass_id = sha256(f"pass/{order}/{seat}".encode()).hexdigest()[:24]
        fields = {"pass_id": pass_id, "order_id": order, "ticket_id": ticket, "seat": seat}
        self.put("orders", "checkins", key, **{**fields, "checked_in_at": self.long_ago, **more})
        return key

    # --- Stripe --------------------------------------------------------------------------------------------------

    def stripe(self, path: str, **fields: Any) -> dict[str, Any]:
        answer = self._stripe.post(f"/v1/{path}", data=fields)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def authorized_intent(self, order: str, payment: str, amount: int = PRICE) -> str:
        made = self.stripe(
            "payment_intents",
            amount=amount,
            currency="usd",
            capture_method="manual",
            payment_method="pm_card_visa",
            **{"metadata[order_id]": order, "metadata[payment_id]": payment},
        )
        self.stripe(f"payment_intents/{made['id']}/confirm")
        return str(made["id"])

    def captured_intent(self, order: str, payment: str, amount: int = PRICE) -> str:
        intent = self.authorized_intent(order, payment, amount)
        self.stripe(f"payment_intents/{intent}/capture")
        return intent

    def dispute(self, intent: str, **fields: Any) -> None:
        """The buyer complains at their bank."""
        answer = self._stripe.post("/_config/disputes", json={"payment_intent": intent, **fields})
        assert answer.is_success, answer.text

    # --- the four orders -----------------------------------------------------------------------------------------

    def _paid(self) -> tuple[str, str, str, str]:
        order, payment = new_id(), new_id()
        ticket = self.ticket("sold", order)
        self.order("complete", ticket, key=order, payment=payment)
        intent = self.captured_intent(order, payment)
        self.pay(order, "captured", intent, key=payment)
        return ticket, order, payment, intent

    def _held(self) -> tuple[str, str]:
        order = new_id()
        ticket = self.ticket("held", order)
        return ticket, self.order("created", ticket, key=order)

    def _free_ticket(self) -> tuple[str, str, str, str]:
        payment = new_id()
        ticket = self.ticket("available", None)
        order = self.order("cancelled", ticket)
        intent = self.authorized_intent(order, payment)
        self.stripe(f"payment_intents/{intent}/cancel")
        self.pay(order, "voided", intent, key=payment)
        return ticket, order, payment, intent

    def _refunded(self) -> tuple[str, str]:
        """It was complete, and its pass admitted before it ended."""
        payment, ticket = new_id(), self.ticket("available", None)
        order = self.order("cancelled", ticket, payment=payment)
        intent = self.captured_intent(order, payment)
        self.stripe("refunds", payment_intent=intent)
        self.pay(order, "voided", intent, key=payment)
        return order, self.check_in(order, ticket)

    def _many(self) -> tuple[str, str]:
        """A listing of five seats, once seven, all taken; the other orders are of the version that knew one seat."""
        paid, payment = new_id(), new_id()
        ticket = self.ticket("held", None, quantity=5, highest_seat=7, held=3, sold=2)
        order = self.order("created", ticket, seats=[2, 4])
        self.order("created", ticket, seats=[7])
        self.order("complete", ticket, key=paid, payment=payment, seats=[1, 3])
        intent = self.captured_intent(paid, payment, 2 * PRICE)
        self.pay(paid, "captured", intent, key=payment, amount_cents=2 * PRICE)
        return ticket, order
