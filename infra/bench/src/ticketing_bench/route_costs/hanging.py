"""Whether a service goes on answering others while Stripe hangs: the double is paused, and payments keep coming."""

import asyncio
import re
import time
from pathlib import Path
from secrets import token_hex
from typing import Final

import httpx

from ticketing_bench.measurement import Answer, Finding, InvalidRunError
from ticketing_bench.seed_data import known_orders
from ticketing_bench.wire import http_request
from ticketing_common.entity import new_id
from ticketing_payments.settings import Settings
from ticketing_testkit.servers import ServerProcess, StripeDouble, running_together

from .rounds import LEAD_SECONDS, Bench, Contender, check_answers

PROBES_PER_SECOND: Final = 200.0
PAYMENTS_PER_SECOND: Final = 20.0
"""Well below what the service and the double can do on two cores, or a healthy Stripe would be the slower one."""
SETTLE_SECONDS: Final = 30.0
CARD: Final = "pm_card_visa"
_IN_PROGRESS: Final = re.compile(r'^calls_in_progress\{call="stripe-requests"\} (\S+)$', re.MULTILINE)


def measure_hanging(bench: Bench, folder: Path) -> list[Finding]:
    """Rounds that end before the first call times out: after that the breaker is open, and no call hangs."""
    places = Settings.model_fields["stripe_places"].default
    hang_seconds = _lead_seconds(places) + bench.watch_seconds
    if hang_seconds >= Settings.model_fields["stripe_timeout_seconds"].default:
        raise ValueError(f"Stripe would hang for {hang_seconds:g} s, which is longer than a call to it may take")
    double = StripeDouble(folder / "stripe")
    with running_together(double):
        service = bench.deployment.service(
            "payments",
            STRIPE_API_BASE=double.url,
            STRIPE_KEY=f"sk_test_{token_hex(12)}",
            STRIPE_WEBHOOK_SECRET=f"whsec_{token_hex(16)}",
            STRIPE_PARAMETER_PROFILE="localstripe",
            RECONCILE_SECONDS="3600",  # it would clear up after one round in the middle of the next
        )
        with running_together(service):
            return _compare(bench, service, double, places)


def _compare(bench: Bench, service: ServerProcess, double: StripeDouble, places: int) -> list[Finding]:
    mongo_url, buyer = bench.deployment.urls["mongo_url"], new_id()
    token = bench.deployment.token(buyer)

    def payments(count: int) -> list[str]:
        orders = asyncio.run(known_orders(mongo_url, count, user_id=buyer))
        bodies = [{"orderId": order, "paymentMethodId": CARD} for order in orders]
        return [http_request("POST", "/api/payments", token=token, body=body) for body in bodies]

    (paid,) = asyncio.run(known_orders(mongo_url, 1, user_id=buyer))
    answer = httpx.post(
        f"{service.url}/api/payments",
        json={"orderId": paid, "paymentMethodId": CARD},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    if answer.status_code != 201:
        raise InvalidRunError(f"a payment: {answer.status_code} {answer.text}")
    asked = [http_request("GET", f"/api/payments/{answer.json()['id']}", token=token)]

    def watch(seconds: float, *, lead_seconds: float) -> Answer:
        return bench.watched(
            service,
            {"rate": PROBES_PER_SECOND, "requests": asked},
            seconds,
            beside={
                "rate": PAYMENTS_PER_SECOND,
                "requests": payments(int(PAYMENTS_PER_SECOND * (lead_seconds + seconds)) + 1),
            },
            lead_seconds=lead_seconds,
            pids={double.name: double.pid or 0},
        )

    def healthy(seconds: float) -> Answer:
        found = watch(seconds, lead_seconds=LEAD_SECONDS)
        check_answers("payments, Stripe well", found["beside"], 201)
        _until_no_call_is_open(service)
        return found

    def hanging(seconds: float) -> Answer:
        with double.paused():
            found = watch(seconds, lead_seconds=_lead_seconds(places))
            taken = _calls_in_progress(service)
        # Calls beyond the limit were refused, no payment was made, and no call timed out before the end.
        check_answers("payments, Stripe hanging", found["beside"], 503)
        if taken != places:
            raise InvalidRunError(f"{taken:g} of {places} concurrent calls to Stripe were open while it hung")
        _until_no_call_is_open(service)
        return found

    healthy(bench.seconds)  # their connections are open from now on
    return bench.compare_delays(
        "GET a payment while Stripe hangs",
        Contender("while Stripe hangs", hanging),
        Contender("while Stripe answers", healthy),
        at_most=2.0,
        note=(
            f"{PROBES_PER_SECOND:g} requests/s in an open loop; {PAYMENTS_PER_SECOND:g} payments/s beside them, which "
            "use all concurrent calls to Stripe while the double is paused"
        ),
    )


def _lead_seconds(places: int) -> float:
    """Until all concurrent calls are open and the first payment beyond them was refused, after a second."""
    return places / PAYMENTS_PER_SECOND + 1.5


def _calls_in_progress(service: ServerProcess) -> float:
    return float(_IN_PROGRESS.findall(httpx.get(f"{service.url}/metrics").raise_for_status().text)[0])


def _until_no_call_is_open(service: ServerProcess) -> None:
    """What hung goes on once Stripe answers, and would be in the way of the next round."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while _calls_in_progress(service) > 0:
        if time.monotonic() > deadline:
            raise InvalidRunError(f"calls to Stripe were still under way {SETTLE_SECONDS:g} s after it had woken")
        time.sleep(0.1)
