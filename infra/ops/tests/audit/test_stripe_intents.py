"""Reading PaymentIntents with Stripe's paging and filters, which the double does not have."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ticketing_common.entity import utc_now
from ticketing_ops.audit import UnreadableError, stripe_intents
from ticketing_ops.audit.stripe_intents import RECENT, Intents, Stripe

NOW = utc_now()


class Account:
    """https://docs.stripe.com/api/pagination: newest first, a hundred at most, `created[gte]` in Unix seconds."""

    def __init__(self, ages: list[timedelta]) -> None:
        self.intents = [self._intent(f"pi_{number}", NOW - age) for number, age in enumerate(sorted(ages))]
        self.requests: list[httpx.Request] = []
        self.problems: list[int] = []

    @staticmethod
    def _intent(intent_id: str, created: datetime) -> dict[str, Any]:
        return {
            "id": intent_id,
            "status": "succeeded",
            "amount": 100,
            "currency": "usd",
            "created": int(created.timestamp()),
            "metadata": {"order_id": f"order of {intent_id}", "payment_id": f"payment of {intent_id}"},
            "latest_charge": {"refunded": False},
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.problems:
            return httpx.Response(self.problems.pop(0))
        query = request.url.params
        kept = [i for i in self.intents if i["created"] >= int(query.get("created[gte]", "0"))]
        after = [intent["id"] for intent in kept].index(query["starting_after"]) + 1 if "starting_after" in query else 0
        page = kept[after : after + min(int(query["limit"]), 100)]
        return httpx.Response(200, json={"data": page, "has_more": kept[-1:] != page[-1:]})


@pytest.fixture
async def account() -> Account:
    hours = [timedelta(minutes=5 * number) for number in range(250)]  # the last 21 hours
    return Account([*hours, RECENT + timedelta(hours=1)])


@pytest.fixture
async def stripe(account: Account, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stripe]:
    monkeypatch.setattr(stripe_intents, "_FIRST_PAUSE_SECONDS", 0.001)
    async with httpx.AsyncClient(base_url="https://stripe.test", transport=httpx.MockTransport(account)) as client:
        yield Stripe(client)


async def ids(intents: Intents) -> set[str]:
    return {intent.id async for batch in intents.by_order(None) for intent in batch}


async def test_recent_ones_are_read_page_by_page_and_older_ones_not_at_all(stripe: Stripe, account: Account) -> None:
    found = await stripe.recent(NOW)
    assert await ids(found) == {f"pi_{number}" for number in range(250)}
    assert len(account.requests) == 3
    assert found.since == NOW - RECENT


async def test_all_are_read_on_request(stripe: Stripe, account: Account) -> None:
    found = await stripe.all()
    assert len(found) == 251
    assert found.since is None


async def test_payment_intents_without_our_metadata_are_left_out(stripe: Stripe, account: Account) -> None:
    account.intents[0]["metadata"] = {"shop": "another"}
    assert len(await stripe.all()) == 250


async def test_a_busy_stripe_is_called_again(stripe: Stripe, account: Account) -> None:
    account.problems = [429, 500]
    assert len(await stripe.all()) == 251


@pytest.mark.parametrize(("problems", "calls"), [([401], 1), ([500] * 4, 4)])
async def test_a_stripe_that_refuses_cannot_be_read(
    stripe: Stripe, account: Account, problems: list[int], calls: int
) -> None:
    account.problems = problems
    with pytest.raises(UnreadableError, match=f"Stripe cannot be read: it answers {problems[0]}"):
        await stripe.all()
    assert len(account.requests) == calls


async def test_a_refund_is_seen_at_the_charge(stripe: Stripe, account: Account) -> None:
    account.intents[0]["latest_charge"]["refunded"] = True
    found = [intent async for batch in (await stripe.all()).by_order(["order of pi_0"]) for intent in batch]
    assert [(intent.state, intent.captured) for intent in found] == [("refunded", False)]
    assert found[0].created.tzinfo is UTC
