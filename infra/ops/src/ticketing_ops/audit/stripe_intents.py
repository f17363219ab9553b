"""Reads Stripe's PaymentIntents over its API: the recent, unsettled, refunded and disputed ones, or all."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

import httpx

from .addresses import AuditAddresses
from .rows import PaymentRow
from .unreadable import UnreadableError

API_VERSION: Final = "2026-10-28.endive"
"""The version that payments uses too; the fields read here have the names of this version."""
RECENT: Final = timedelta(hours=24)
PAGE: Final = 100
"""The largest page that Stripe returns (https://docs.stripe.com/api/pagination)."""
DISPUTES: Final = timedelta(days=130)
CLOSED_DISPUTES: Final = frozenset({"won", "lost", "warning_closed", "prevented"})
CONCURRENCY: Final = 8
RELIST_ABOVE: Final = 200
"""Above this many PaymentIntents, listing them again is faster than one call for each."""
ATTEMPTS: Final = 4
_FIRST_PAUSE_SECONDS: Final = 0.5
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Intent(NamedTuple):
    """A PaymentIntent with this marketplace's metadata; amount in the smallest unit of its currency, times in UTC."""

    id: str
    status: str
    amount: int
    currency: str
    created: datetime
    order_id: str
    payment_id: str
    refunded: bool
    refunded_cents: int = 0
    disputed: bool = False
    lost: bool = False
    moved_at: datetime | None = None
    """When the last refund or dispute was created; None when none was read."""

    @property
    def gone(self) -> bool:
        """Whether all of the money was refunded or lost in a dispute."""
        return self.refunded or self.lost

    @property
    def captured(self) -> bool:
        """Whether the payment is captured, and at least a part of it was not refunded."""
        return self.status == "succeeded" and not self.gone

    @property
    def authorized(self) -> bool:
        """Whether the payment is authorised and not captured."""
        return self.status == "requires_capture"

    @property
    def state(self) -> str:
        """Stripe's status, which a refund does not change, or `refunded`."""
        return "refunded" if self.gone else self.status


class MoneyBack(NamedTuple):
    """The refunds and disputes of one PaymentIntent, summed up."""

    moved_at: datetime | None = None
    disputed: bool = False
    lost_cents: int = 0

    def added(self, found: Mapping[str, Any]) -> "MoneyBack":
        """A copy with one more refund or dispute; times in UTC."""
        at = datetime.fromtimestamp(found["created"], tz=UTC)
        moved_at = at if self.moved_at is None else max(at, self.moved_at)
        if found["object"] != "dispute":
            return self._replace(moved_at=moved_at)
        lost = found["amount"] if found["status"] == "lost" else 0
        still_open = found["status"] not in CLOSED_DISPUTES
        return MoneyBack(moved_at, self.disputed or still_open, self.lost_cents + lost)

    def applied(self, intent: Intent) -> Intent:
        """The PaymentIntent with these refunds and disputes."""
        return intent._replace(
            refunded_cents=min(intent.amount, intent.refunded_cents + self.lost_cents),
            disputed=self.disputed,
            lost=self.lost_cents > 0,
            moved_at=self.moved_at,
        )


class Intents:
    """The PaymentIntents that were read. `since` (UTC) is how far back the list goes, None when it is complete."""

    def __init__(self, found: Iterable[Intent], *, since: datetime | None = None) -> None:
        self._by_id = {intent.id: intent for intent in found}
        self.since = since

    def joined(self, more: Iterable[Intent]) -> "Intents":
        """A copy with older PaymentIntents."""
        return Intents([*self._by_id.values(), *more], since=self.since)

    def with_money(self, back: Mapping[str, "MoneyBack"]) -> "Intents":
        """A copy with the refunds and disputes, by PaymentIntent."""
        return Intents(
            (back[intent.id].applied(intent) if intent.id in back else intent for intent in self._by_id.values()),
            since=self.since,
        )

    def missing(self, ids: Iterable[str]) -> set[str]:
        """The ids among these that were not read."""
        return set(ids) - self._by_id.keys()

    def __len__(self) -> int:
        return len(self._by_id)

    def of(self, payment: PaymentRow) -> Intent | None:
        """The PaymentIntent that the payment's row names, if it was read."""
        return self._by_id.get(payment.stripe_id) if payment.stripe_id else None

    def covers(self, payment: PaymentRow) -> bool:
        """Whether the payment's PaymentIntent must be among these if it exists."""
        return self.since is None or payment.created_at >= self.since

    async def by_order(self, only: Collection[str] | None) -> AsyncIterator[Sequence[Intent]]:
        """All PaymentIntents, or those of these orders, sorted by order id."""
        chosen = (intent for intent in self._by_id.values() if only is None or intent.order_id in only)
        yield sorted(chosen, key=lambda intent: intent.order_id)

    def ids_of(self, orders: Collection[str]) -> set[str]:
        """The ids of the PaymentIntents that name one of these orders."""
        return {intent.id for intent in self._by_id.values() if intent.order_id in orders}


class Stripe:
    """A client of Stripe that only reads."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def connect(cls, addresses: AuditAddresses) -> AsyncIterator[Self]:
        """A client; nothing is sent yet."""
        # Calls to this machine do not use a proxy.
        through_proxy = urlsplit(addresses.stripe_url).hostname not in _LOOPBACK
        async with httpx.AsyncClient(
            base_url=addresses.stripe_url,
            auth=(addresses.stripe_key, ""),
            headers={"Stripe-Version": API_VERSION},
            timeout=10,
            trust_env=through_proxy,
        ) as client:
            yield cls(client)

    async def recent(self, now: datetime) -> Intents:
        """The PaymentIntents of the last day; all of them where the server cannot filter, as the double."""
        since = now - RECENT
        try:
            return Intents([i async for i in self._list({"created[gte]": int(since.timestamp())})], since=since)
        except _NotUnderstoodError:
            return await self.all()

    async def all(self) -> Intents:
        """Every PaymentIntent: one call for each hundred."""
        return Intents([intent async for intent in self._list({})])

    async def these(self, ids: Collection[str]) -> list[Intent]:
        """The PaymentIntents with these ids, as far as they exist."""
        gate = asyncio.Semaphore(CONCURRENCY)

        async def one(intent_id: str) -> Intent | None:
            async with gate:
                found = await self._get(f"/v1/payment_intents/{intent_id}", {"expand[]": "latest_charge"})
            return None if found is None else _intent(found)

        found = await asyncio.gather(*(one(intent_id) for intent_id in sorted(ids)))
        return [intent for intent in found if intent is not None]

    async def _list(self, bounds: dict[str, int]) -> AsyncIterator[Intent]:
        query: dict[str, str | int] = {"limit": PAGE, "expand[]": "data.latest_charge", **bounds}
        async for found in self._pages("/v1/payment_intents", query):
            intent = _intent(found)
            if intent is not None:
                yield intent

    async def money_back(self, now: datetime, *, every: bool = False) -> dict[str, MoneyBack]:
        """The refunds of the last day and the disputes that may still be open, or all of both, by PaymentIntent.

        A dispute lasts up to four months (https://docs.stripe.com/disputes/how-disputes-work).
        """
        back: dict[str, MoneyBack] = {}
        for path, since in (("/v1/refunds", now - RECENT), ("/v1/disputes", now - DISPUTES)):
            query: dict[str, str | int] = {"limit": PAGE, "created[gte]": 0 if every else int(since.timestamp())}
            async for found in self._pages(path, query):
                intent_id = found.get("payment_intent")
                if isinstance(intent_id, str):
                    back[intent_id] = back.get(intent_id, MoneyBack()).added(found)
        return back

    async def _pages(self, path: str, query: dict[str, str | int]) -> AsyncIterator[dict[str, Any]]:
        while True:
            page = await self._get(path, query)
            if page is None:
                raise UnreadableError("Stripe", f"it knows no list {path}")
            for found in page["data"]:
                yield found
            if not page["has_more"] or not page["data"]:
                return
            query["starting_after"] = page["data"][-1]["id"]

    async def _get(self, path: str, query: dict[str, Any]) -> dict[str, Any] | None:
        """The response body, None for a 404; retries up to three times on 429, 5xx and transport errors."""
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            try:
                answer = await self._client.get(path, params=query)
            except httpx.HTTPError as error:
                problem = type(error).__name__
                continue
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            if answer.status_code == httpx.codes.BAD_REQUEST and "created[gte]" in query:
                raise _NotUnderstoodError
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            problem = f"it answers {answer.status_code}"
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS and not answer.is_server_error:
                break
        raise UnreadableError("Stripe", problem)


class _NotUnderstoodError(Exception):
    """The server refused a parameter: the double does not know it."""


def _intent(found: dict[str, Any]) -> Intent | None:
    """None without this marketplace's metadata: other systems may use the same account."""
    metadata = found.get("metadata") or {}
    if not metadata.get("payment_id") or not metadata.get("order_id"):
        return None
    charge = found.get("latest_charge")
    return Intent(
        found["id"],
        found["status"],
        found["amount"],
        found["currency"],
        datetime.fromtimestamp(found["created"], tz=UTC),
        metadata["order_id"],
        metadata["payment_id"],
        found["status"] == "succeeded" and isinstance(charge, dict) and bool(charge.get("refunded")),
        _back(found, charge) if found["status"] == "succeeded" and isinstance(charge, dict) else 0,
    )


def _back(found: dict[str, Any], charge: dict[str, Any]) -> int:
    """The refunded amount, without the part that a partial capture left out, which Stripe counts as refunded."""
    kept = min(found.get("amount_received", found["amount"]), found["amount"] - charge.get("amount_refunded", 0))
    return int(found["amount"] - kept)
