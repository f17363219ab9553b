import asyncio
import random
import time
from collections import Counter

from ticketing_common.events import OrderData, OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.errors import PaymentNotPossibleError, StripeUnknownError
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from .scenario import MakeScenario, MakeSettings, Stores, make_order

ROUNDS = 60


async def test_paying_against_cancelling_over_two_replicas_never_leaves_money_behind(
    service: PaymentService, stores: Stores, make_settings: MakeSettings, proxy: StripeProxy, bank: Bank
) -> None:
    """Whichever call wins, the payment is over at Stripe after all events, and no buyer has paid for nothing."""
    chance = random.Random(20_261_123)
    settings = make_settings(stripe_api_base=proxy.url, stripe_timeout_seconds=10)
    outcomes: Counter[str] = Counter()
    played: list[str] = []
    async with StripeGateway.connect(settings) as gateway:
        other = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)

        async def pay(replica: PaymentService, order: OrderData) -> str:
            began = time.perf_counter()
            try:
                await replica.pay(order.id, user_id=order.user_id, payment_method_id="pm_card_visa")
            except PaymentNotPossibleError:
                return "refused"
            except StripeUnknownError:
                return "unknown"
            durations.append(time.perf_counter() - began)
            return "authorised first"

        async def cancel(replica: PaymentService, order: OrderData) -> None:
            cancelled = {"version": 2, "status": OrderStatus.CANCELLED, "reason": OrderReason.EXPIRED}
            while True:
                try:
                    await replica.follow_order(order.model_copy(update=cancelled))
                except StripeUnknownError:  # Stripe is busy with the other call, so the event is redelivered
                    await asyncio.sleep(0.02)
                else:
                    return

        async def play(share: float) -> None:
            order = make_order()
            await service.follow_order(order)
            if share >= 1:
                outcome = await pay(service, order)
                await cancel(other, order)
            else:
                paying = asyncio.create_task(pay(service, order))
                await asyncio.wait([paying], timeout=share * durations[-1])
                await cancel(other, order)
                outcome = await paying
            outcomes[outcome] += 1
            played.append(order.id)
            payment = await stores.payments.find_latest(order.id)
            if payment is not None:
                assert (await service.advance(payment.id, ask=True)).status is PaymentStatus.VOIDED

        # The cancellation comes at any point from before to after the payment, whose time depends on the machine.
        durations: list[float] = []
        await play(1)
        for _ in range(ROUNDS // 4):
            await asyncio.gather(*(play(chance.uniform(0, 1.5)) for _ in range(4)))

    at_stripe = {intent["status"] for intent in await bank.intents() if intent["metadata"].get("order_id") in played}
    assert at_stripe <= {"canceled", "requires_confirmation"}
    assert outcomes["refused"] > 0
    assert outcomes["authorised first"] > 0


async def test_paying_in_many_tabs_with_many_cards_authorises_one(make_scenario: MakeScenario, bank: Bank) -> None:
    for _ in range(10):
        scenario = make_scenario(make_order())
        await scenario.service.follow_order(scenario.order)
        cards = [await bank.card("4242424242424242") for _ in range(5)]
        assert len(await scenario.pay_at_once(*cards)) == 1
        assert [intent["status"] for intent in await bank.intents_of(scenario.order.id)] == ["requires_capture"]
