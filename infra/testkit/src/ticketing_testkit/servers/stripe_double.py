"""localstripe, a stateful Stripe double, as a server process with its own store."""

import socket
import sys
from collections.abc import Sequence

from .process import ServerProcess


class StripeDouble(ServerProcess):
    """Serves Stripe's API on loopback; payments/README.md lists its limits."""

    name = "stripe-double"

    @property
    def url(self) -> str:
        """Its address, the `STRIPE_API_BASE`."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Uses `localstripe_main`, because localstripe's own launcher writes to one fixed file."""
        store = str(self.directory / "stripe.pickle")
        return [sys.executable, "-m", "ticketing_testkit.servers.localstripe_main", str(self.port), store]

    def is_ready(self) -> bool:
        """Whether it accepts connections."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
