"""A mail server for one machine: it keeps what it receives, and shows it on a page."""

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from .process import ServerProcess, free_port


class MailServer(ServerProcess):
    """Accepts every mail on loopback, stores it in its directory, and delivers nothing. `port` is that of the inbox."""

    name = "mail-server"

    def __init__(self, directory: Path, *, port: int | None = None, smtp_port: int | None = None) -> None:
        super().__init__(directory, port=port)
        self.smtp_port = smtp_port or free_port()

    @property
    def url(self) -> str:
        """The address of the inbox page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def smtp_url(self) -> str:
        """The `SMTP_URL`. There is no TLS on loopback."""
        return f"smtp://127.0.0.1:{self.smtp_port}"

    def command(self) -> Sequence[str]:
        """A module, not a script."""
        module = "ticketing_testkit.servers.mail_server_main"
        return [sys.executable, "-m", module, str(self.smtp_port), str(self.port), str(self.directory)]

    def is_ready(self) -> bool:
        """Whether it accepts mail and shows the inbox."""
        for port in (self.smtp_port, self.port):
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                pass
        return True
