"""Named faults: what can be broken on a running stack, by whoever runs it, to watch what the others do about it."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from ticketing_common.topology import PROCESSES
from ticketing_testkit.servers import ServerProcess

from .stack import Stack

__all__ = ["FAULTS", "Fault", "FaultError"]

Switch = Callable[[Stack], None]

STRIPE_SLOW_SECONDS: Final = 15
"""Longer than payments waits for one answer."""


class FaultError(Exception):
    """The fault cannot be had on this stack; says why."""


@dataclass(frozen=True)
class Fault:
    """A way to break things. Without `off` it is done in a moment, and there is nothing to take back."""

    what: str
    expect: str
    on: Switch
    off: Switch | None


def _paused(name: str) -> tuple[Switch, Switch]:
    """Frozen: connections stay, answers do not come."""
    return lambda stack: _process(stack, name).pause(), lambda stack: _process(stack, name).resume()


def _down(name: str) -> tuple[Switch, Switch]:
    """Killed: connections break, and nobody listens."""

    def kill(stack: Stack) -> None:
        _process(stack, name).kill()

    def launch(stack: Stack) -> None:
        _process(stack, name).launch()

    return kill, launch


def _stripe(kind: str) -> tuple[Switch, Switch]:
    def switch(stack: Stack, body: Mapping[str, object]) -> None:
        _process(stack, "stripe-double")  # never somebody else's Stripe
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
        raise FaultError(f"{name} was not started by this stack, so it is not ours to break.") from None


FAULTS: Final[Mapping[str, Fault]] = {
    "stripe-slow": Fault(
        f"Stripe takes {STRIPE_SLOW_SECONDS} s for every answer",
        "paying ends in 503 with Retry-After, other pages are as quick as ever; the payment goes on by itself",
        *_stripe("slow"),
    ),
    "stripe-failing": Fault(
        "Stripe answers 503 to everything and does nothing",
        "503; after 8 tries circuit_state is 1 and the refusal comes at once; the hold stays",
        *_stripe("failing"),
    ),
    "stripe-lying": Fault(
        "Stripe does what it is asked and answers that it broke down",
        "503, the payment stays initiated; the reconciler finds out, and it is charged once",
        *_stripe("lying"),
    ),
    "mongo-paused": Fault(
        "MongoDB hangs",
        "lists that were seen come from memory (Age, Warning), the rest is 503 within seconds; /healthz stays 200",
        *_paused("mongod"),
    ),
    "nats-down": Fault(
        "NATS is gone",
        "requests are answered; tickets look free until it is back; outbox_pending grows and then drains",
        *_down("nats-server"),
    ),
    "nats-paused": Fault(
        "NATS hangs",
        "requests are answered at once all the same; outbox_pending grows and then drains",
        *_paused("nats-server"),
    ),
    "redis-paused": Fault(
        "Redis hangs",
        "nothing is seen: the worker's sweep ends holds, up to a second late",
        *_paused("valkey-server"),
    ),
    "redis-down": Fault(
        "Redis is gone", "nothing is seen: the worker's sweep ends holds, up to a second late", *_down("valkey-server")
    ),
    "redis-wiped": Fault("Redis forgets everything, once", "nothing is seen: timers are set again", _wipe, None),
    **{
        f"{name}-paused": Fault(
            f"the {name} {'process' if name == 'worker' else 'service'} hangs",
            "what it does waits, what the others do goes on",
            *_paused(name),
        )
        for name in PROCESSES
    },
}
"""By name."""
