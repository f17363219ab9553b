"""Scans of the same passes at two replicas at once, and scans while orders end: a pass admits once at most."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import PaymentStatus, TicketData
from ticketing_orders.domain import Order
from ticketing_orders.errors import PassUsedError, PassVoidError
from ticketing_orders.passes import Checkin, PassStatus
from ticketing_orders.publishers import order_completed

from .conftest import MakeOrder, MakePayment, MakeTicket, Replica

PASSES = 300
SEATS_OF_AN_ORDER = 10
SCANS_OF_EACH = 4


@pytest.fixture
async def arena(replicas: list[Replica], make_ticket: MakeTicket) -> TicketData:
    """A listing of 300 seats."""
    ticket = make_ticket(quantity=PASSES, highest_seat=PASSES)
    return await replicas[0].tickets.apply(ticket)


@pytest.fixture
async def sold(replicas: list[Replica], arena: TicketData, make_order: MakeOrder) -> list[Order]:
    """Its complete orders, of ten seats each."""
    orders = []
    for first in range(1, PASSES + 1, SEATS_OF_AN_ORDER):
        order = make_order(arena, seats=tuple(range(first, first + SEATS_OF_AN_ORDER)))
        order.complete(new_id())
        await replicas[0].orders.add(order, order_completed)
        orders.append(order)
    return orders


async def codes(replica: Replica, orders: Sequence[Order]) -> list[str]:
    found = [await replica.passes.list_of_order(order.id, user_id=order.user_id) for order in orders]
    return [one.code for passes in found for one in passes]


async def scan_all(
    replicas: list[Replica], ticket: TicketData, scanned: Sequence[str]
) -> list[Checkin | PassUsedError]:
    """Scan each code four times, in random order, at both replicas; returns what each scan was answered."""

    async def scan(number: int, code: str) -> Checkin | PassUsedError:
        try:
            return await replicas[number % len(replicas)].passes.check_in(code, user_id=ticket.user_id)
        except PassUsedError as used:
            return used

    scans = [(number, code) for number in range(SCANS_OF_EACH) for code in scanned]
    random.shuffle(scans)
    return await asyncio.gather(*(scan(number, code) for number, code in scans))


async def test_of_simultaneous_scans_of_a_pass_one_admits(
    replicas: list[Replica], arena: TicketData, sold: list[Order]
) -> None:
    answers = await scan_all(replicas, arena, await codes(replicas[0], sold))
    admitted = {one.pass_id: one for one in answers if isinstance(one, Checkin)}
    refused = [one for one in answers if isinstance(one, PassUsedError)]
    assert len(admitted) == PASSES
    assert len(answers) - len(refused) == PASSES, "no pass admitted twice"
    assert Counter(one.members["passId"] for one in refused) == dict.fromkeys(admitted, SCANS_OF_EACH - 1)
    for one in refused:
        first = admitted[str(one.members["passId"])]
        assert (
            one.members["firstAt"] == PassUsedError(first.pass_id, first.seat, first.checked_in_at).members["firstAt"]
        )
    counts = await replicas[1].passes.counts(arena.id, user_id=arena.user_id)
    assert (counts.sold, counts.checked_in, counts.void) == (PASSES, PASSES, [])


async def test_without_the_index_passes_admit_twice(
    replicas: list[Replica], arena: TicketData, sold: list[Order]
) -> None:
    """The negative control."""
    await replicas[0].checkins.collection.drop_index("one_checkin_per_pass")
    answers = await scan_all(replicas, arena, await codes(replicas[0], sold[:2]))
    assert sum(isinstance(one, Checkin) for one in answers) > 2 * SEATS_OF_AN_ORDER


async def test_repeats_of_one_request_at_two_replicas_are_one_check_in(
    replicas: list[Replica], arena: TicketData, sold: list[Order]
) -> None:
    """Attempts of a request share the id of their Idempotency-Key, also when they run at the same time."""

    async def attempts(code: str) -> set[Checkin]:
        checkin_id = new_id()
        answers = await asyncio.gather(
            *(replica.passes.check_in(code, user_id=arena.user_id, checkin_id=checkin_id) for replica in replicas * 2)
        )
        return set(answers)

    outcomes = await asyncio.gather(*map(attempts, await codes(replicas[0], sold[:5])))
    assert [len(outcome) for outcome in outcomes] == [1] * 5 * SEATS_OF_AN_ORDER


async def test_a_scan_while_the_order_ends_admits_or_is_void(
    replicas: list[Replica], arena: TicketData, sold: list[Order], make_payment: MakePayment
) -> None:
    """Admission and end may both stand. What is answered is what is stored, and afterwards every pass is void."""

    async def scan(code: str) -> Checkin | None:
        await asyncio.sleep(random.random() / 20)
        try:
            return await replicas[0].passes.check_in(code, user_id=arena.user_id)
        except PassVoidError:
            return None

    async def end(order: Order) -> None:
        await asyncio.sleep(random.random() / 20)
        payment = make_payment(order, id=order.payment_id, status=PaymentStatus.FAILED)
        await replicas[1].service.follow_payment(payment)

    scanned = await codes(replicas[0], sold)
    answers, _ = await asyncio.gather(asyncio.gather(*map(scan, scanned)), asyncio.gather(*map(end, sold)))
    admitted = {answer.pass_id for answer in answers if answer}
    stored = {document["pass_id"] async for document in replicas[0].checkins.collection.find()}
    assert stored == admitted
    passes = [await replicas[1].passes.list_of_order(order.id, user_id=order.user_id) for order in sold]
    assert {one.status for found in passes for one in found} == {PassStatus.VOID}
    counts = await replicas[1].passes.counts(arena.id, user_id=arena.user_id)
    assert (counts.sold, counts.checked_in) == (0, len(admitted))
    assert sorted(counts.void) == sorted(one.id for found in passes for one in found)
    for code in scanned[:: PASSES // 10]:
        with pytest.raises(PassVoidError):
            await replicas[1].passes.check_in(code, user_id=arena.user_id)


async def test_a_crash_before_the_insert_stores_nothing_and_the_repeat_admits(
    replicas: list[Replica], arena: TicketData, sold: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    class CrashError(Exception):
        """The process ends here."""

    async def crash(_: Checkin) -> Checkin:
        raise CrashError

    code, checkin_id = (await codes(replicas[0], sold[:1]))[0], new_id()
    monkeypatch.setattr(replicas[0].checkins, "add_once", crash)
    with pytest.raises(CrashError):
        await replicas[0].passes.check_in(code, user_id=arena.user_id, checkin_id=checkin_id)
    assert await replicas[1].checkins.count(arena.id) == 0
    assert (await replicas[1].passes.check_in(code, user_id=arena.user_id, checkin_id=checkin_id)).id == checkin_id
