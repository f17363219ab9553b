"""The public pages as a broken gateway would give them."""

import socket
import threading
from collections.abc import Iterator

import pytest

from ticketing_ci.cluster import ClusterError
from ticketing_ci.smoke import read_pages


@pytest.fixture(params=[b"", b"nonsense\r\n\r\n", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"])
def broken_gateway(request: pytest.FixtureRequest) -> Iterator[str]:
    """Answers each request with the same bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(request.param)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_gateway_that_hangs_up_or_talks_nonsense_fails_the_release(broken_gateway: str) -> None:
    with pytest.raises(ClusterError, match="/: "):
        read_pages(broken_gateway, attempts=2, sleep=lambda _: None)
