"""Waits for the payment events that were published before: a payment in time counts before its order expires."""

from typing import Final, Protocol

from ticketing_common.telemetry import get_logger

log = get_logger(__name__)

PAYMENTS_WAIT_SECONDS: Final = 30.0
"""How long an expiry waits while no payment event is handled. A replica that dies while it handles one delays it for
`ack_wait_seconds` (10); this covers two such crashes. After that the seat is freed anyway."""


class PaymentProgress(Protocol):
    """Reports whether all payment events that were published until now are handled."""

    async def handled_until_now(self, *, timeout_seconds: float) -> bool:
        """Wait for that; False when there is no progress for `timeout_seconds`."""


class EarlierPayments:
    """The payment events that were published before now."""

    def __init__(self, progress: PaymentProgress) -> None:
        self._progress = progress

    async def handled(self) -> None:
        """Return when they are handled, or when none is handled for `PAYMENTS_WAIT_SECONDS`.

        The events of payments and of expiration come by different streams, in no common order. After this wait a
        payment that was authorised in time has completed its order, even if its event waited for its redelivery.
        """
        if not await self._progress.handled_until_now(timeout_seconds=PAYMENTS_WAIT_SECONDS):
            log.warning("orders expire although payment events are not handled")
