"""Ports of servers that are down on purpose: nobody listens there, and no other stack takes them meanwhile."""

import socket

__all__ = ["KeptPorts"]


class KeptPorts:
    """Bound, not listening: who connects is refused, as when the server is gone."""

    def __init__(self) -> None:
        self._kept: dict[int, socket.socket] = {}

    def keep(self, port: int) -> None:
        """Until it is given back; raises OSError when somebody was faster."""
        kept = socket.socket()
        try:
            # Shared with what is left of the server's connections, and from then on with nobody.
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.bind(("127.0.0.1", port))
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError:
            kept.close()
            raise
        self._kept[port] = kept

    def give_back(self, port: int) -> None:
        """To the server that comes back."""
        if kept := self._kept.pop(port, None):
            kept.close()

    def give_back_all(self) -> None:
        """At the end of the stack."""
        for port in list(self._kept):
            self.give_back(port)
