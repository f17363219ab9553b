"""localstripe, a stateful Stripe double, as a server process with a store of its own."""

import socket
import sys
from collections.abc import Sequence

from .process import ServerProcess

__all__ = ["StripeDouble"]


class StripeDouble(ServerProcess):
    """Answers Stripe's API on loopback; what it cannot do is listed in payments/README.md."""

    name = "stripe-double"

    @property
    def url(self) -> str:
        """Its address, the `STRIPE_API_BASE`."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Our launcher, since localstripe's own writes to one fixed file for all."""
        store = str(self.directory / "stripe.pickle")
        return [sys.executable, "-m", "ticketing_testkit.servers.localstripe_main", str(self.port), store]

    def is_ready(self) -> bool:
        """It accepts connections."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
