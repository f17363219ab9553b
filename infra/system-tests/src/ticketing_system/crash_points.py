"""Runs a service that ends, as by kill -9, at one exact boundary of its work.

    python -m ticketing_system.crash_points FOLDER MODULE [ARGUMENT…]

runs MODULE as `python -m` would, with the functions at the boundaries replaced. A replaced function that is called
while FOLDER has a file with the name of its point removes that file and kills the process. So the product contains no
crash points, a test arms one by creating a file, and the process that is started afterwards survives.
"""

import importlib
import os
import runpy
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from nats.aio.msg import Msg

from ticketing_common.delivery.handling import MessageHandling
from ticketing_common.events import ExpirationCompleted, OrderCancelled, PaymentAuthorized
from ticketing_common.storage import Outbox, OutboxEntry

AFTER_COMMIT: Final = "after_commit"
AFTER_PUBLISH: Final = "after_publish"
BEFORE_HANDLING: Final = "before_handling"
BEFORE_HANDLING_A_PAYMENT: Final = "before_handling_a_payment"
BEFORE_ACK: Final = "before_ack"
AFTER_COMMIT_OF_AN_END: Final = "after_commit_of_an_end"
BEFORE_ACK_OF_AN_END: Final = "before_ack_of_an_end"
STRIPE_CALLS: Final = ("create", "confirm", "capture", "cancel", "refund")

Method = Callable[..., Any]


def main() -> None:
    """See above."""
    folder, module, *arguments = sys.argv[1:]
    _plant(Path(folder))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _plant(folder: Path) -> None:
    # The events are committed with their aggregate, and not published.
    _before(Outbox, "committed", folder / AFTER_COMMIT, when=lambda _outbox, _document, entries: bool(entries))
    # The broker has acknowledged them, and they still wait in the outbox.
    _before(Outbox, "remove", folder / AFTER_PUBLISH, when=lambda _outbox, published: bool(published))
    # The event is delivered, and the broker waits `ack_wait_seconds` before it delivers it again.
    _before(MessageHandling, "handle", folder / BEFORE_HANDLING)
    _before(MessageHandling, "handle", folder / BEFORE_HANDLING_A_PAYMENT, when=_is_payment)
    # The event is handled, and the broker does not know.
    _before(Msg, "ack", folder / BEFORE_ACK)
    # The first document of a batch is noted, or its first event acknowledged: MongoDB has written the whole batch.
    _before(Outbox, "committed", folder / AFTER_COMMIT_OF_AN_END, when=_ends_an_order)
    _before(Msg, "ack", folder / BEFORE_ACK_OF_AN_END, when=lambda message: _is_an_end(message.subject))
    if find_spec("ticketing_payments"):
        gateway = importlib.import_module("ticketing_payments.stripe_gateway").StripeGateway
        for call in STRIPE_CALLS:
            # Stripe has done it, and the payment's row does not say so.
            _after(gateway, call, folder / f"after_stripe_{call}")


def _ends_an_order(_outbox: Outbox, _document: str, entries: Sequence[OutboxEntry]) -> bool:
    return any(_is_an_end(entry.subject) for entry in entries)


def _is_an_end(subject: str) -> bool:
    return subject.startswith((f"{OrderCancelled.NAME}.", f"{ExpirationCompleted.NAME}."))


def _is_payment(_handling: MessageHandling, messages: Sequence[Msg]) -> bool:
    return messages[0].subject.startswith(f"{PaymentAuthorized.NAME}.")


def _before(owner: type, name: str, point: Path, when: Callable[..., bool] = lambda *_: True) -> None:
    """Works for plain and async methods: nothing of the original has run yet."""
    original: Method = getattr(owner, name)

    def replaced(*arguments: Any) -> Any:
        if when(*arguments):
            _reach(point)
        return original(*arguments)

    setattr(owner, name, replaced)


def _after(owner: type, name: str, point: Path) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def replaced(*arguments: Any) -> Any:
        outcome = await original(*arguments)
        _reach(point)
        return outcome

    setattr(owner, name, replaced)


def _reach(point: Path) -> None:
    try:
        point.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
