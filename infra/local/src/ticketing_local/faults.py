"""Named faults that can be injected into a running stack to observe how the other parts react."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from ticketing_common.topology import PROCESSES, SERVICES
from ticketing_testkit.servers import ServerProcess

from .stack import Stack

Switch = Callable[[Stack], None]

STRIPE_SLOW_SECONDS: Final = 15
"""Seconds; longer than the timeout of payments for one call."""


class FaultError(Exception):
    """The fault is not possible on this stack; the text says why."""


@dataclass(frozen=True)
class Fault:
    """One fault. A fault without `off` happens once and cannot be reverted."""

    what: str
    expect: str
    on: Switch
    off: Switch | None


def _paused(name: str) -> tuple[Switch, Switch]:
    """Freeze the process: connections stay open, no answers come."""
    return lambda stack: _process(stack, name).pause(), lambda stack: _process(stack, name).resume()


def _down(name: str) -> tuple[Switch, Switch]:
    """Kill the process: connections break, new ones are refused."""

    def kill(stack: Stack) -> None:
        _process(stack, name).kill()

    def launch(stack: Stack) -> None:
        _process(stack, name).launch()

    return kill, launch


def _stripe(kind: str) -> tuple[Switch, Switch]:
    def switch(stack: Stack, body: Mapping[str, object]) -> None:
        _process(stack, "stripe-double")  # raises if Stripe is an external server
        httpx.post(f"{stack.state.addresses['stripe']}/_config/fault", json=body, timeout=10).raise_for_status()

    seconds = STRIPE_SLOW_SECONDS
    return lambda stack: switch(stack, {"kind": kind, "seconds": seconds}), lambda stack: switch(stack, {"kind": None})


def _wipe(stack: Stack) -> None:
    _process(stack, "valkey-server")
    address = urlsplit(stack.state.addresses["redis"])
    with socket.create_connection((address.hostname or "127.0.0.1", address.port or 6379), timeout=5) as redis:
        redis.sendall(b"FLUSHALL\r\n")
        answer = redis.recv(64)
    if not answer.startswith(b"+OK"):
        raise FaultError(f"Redis answers {json.dumps(answer.decode(errors='replace'))}.")


def _process(stack: Stack, name: str) -> ServerProcess:
    try:
        return stack.processes[name]
    except KeyError:
        raise FaultError(f"{name} was not started by this stack, so no fault can be injected.") from None


FAULTS: Final[Mapping[str, Fault]] = {
    "stripe-slow": Fault(
        f"Stripe answers every call after {STRIPE_SLOW_SECONDS} s",
        "paying ends in 503 with Retry-After, other pages stay fast; the payment is completed in the background",
        *_stripe("slow"),
    ),
    "stripe-failing": Fault(
        "Stripe answers 503 to everything and does nothing",
        "503; after 8 attempts circuit_state is 1 and the refusal is immediate; the hold stays",
        *_stripe("failing"),
    ),
    "stripe-lying": Fault(
        "Stripe executes the request and answers with an error",
        "503, the payment stays initiated; the reconciler finds the outcome, and the card is charged once",
        *_stripe("lying"),
    ),
    "mongo-paused": Fault(
        "MongoDB hangs",
        "cached lists are served stale (Age, Warning), other requests get 503 within seconds; /healthz stays 200",
        *_paused("mongod"),
    ),
    "nats-down": Fault(
        "NATS is gone",
        "requests succeed; held tickets are shown as free until it is back; outbox_pending grows and then drains",
        *_down("nats-server"),
    ),
    "nats-paused": Fault(
        "NATS hangs",
        "requests are answered as fast as before; outbox_pending grows and then drains",
        *_paused("nats-server"),
    ),
    "redis-paused": Fault(
        "Redis hangs",
        "no visible effect: the sweeps of the workers end holds and send mails, up to a second late",
        *_paused("valkey-server"),
    ),
    "redis-down": Fault(
        "Redis is killed",
        "no visible effect: the sweeps of the workers end holds and send mails, up to a second late",
        *_down("valkey-server"),
    ),
    "mail-server-down": Fault(
        "the mail server is gone",
        "no request notices; mails wait, mail_server_available is 0, and all of them arrive once it is back",
        *_down("mail-server"),
    ),
    "mail-server-paused": Fault(
        "the mail server hangs",
        "no request notices; mails wait, and arrive once it answers",
        *_paused("mail-server"),
    ),
    "redis-wiped": Fault("Redis loses all data, once", "no visible effect: timers are set again", _wipe, None),
    **{
        f"{name}-paused": Fault(
            f"the {name} {'service' if name in SERVICES else 'process'} hangs",
            "its work waits, the other services continue",
            *_paused(name),
        )
        for name in PROCESSES
    },
}
"""By name."""
