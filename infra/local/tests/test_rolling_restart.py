"""Each service is replaced under load without a failed request, and ends in time while its dependencies hang."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest

from ticketing_common.topology import SERVICES
from ticketing_local.services import ServiceProcess
from ticketing_local.stack import PREFERRED_PORTS, Stack, StackOptions
from ticketing_testkit.servers import ServerProcess, free_port
from ticketing_testkit.waiting import wait_until

from .rotation import CALLERS, Call, Load, Rotation
from .running_stack import ACCOUNTS_WITHOUT_LIMITS, SALES_WITHOUT_LIMITS, Traders, ticketing

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]


class Marketplace(Traders):
    """A seller and a buyer at a stack of this process."""

    def __init__(self, stack: Stack, http: httpx.Client) -> None:
        super().__init__(http, stack.state.addresses)
        self.stack = stack
        self._free: Queue[str] = Queue()

    def payment(self) -> str:
        """The id of a new authorised payment."""
        return str(self.pay(self.order()).raise_for_status().json()["id"])

    def calls(self, service: str) -> list[Call]:
        """Typical requests to this service, including writes."""

        seller, buyer = ({"Authorization": f"Bearer {token}"} for token in (self.seller, self.buyer))
        credentials = {"username": self.buyers_email, "password": self.password}

        def get(path: str) -> Call:
            return lambda http, address: http.get(f"{address}/api/{path}", headers=buyer)

        def post(path: str) -> Call:
            return lambda http, address: http.post(f"{address}/api/{path}", headers=buyer)

        def sell(http: httpx.Client, address: str) -> httpx.Response:
            body: dict[str, Any] = {"title": "Seat", "price": 10}
            return http.post(f"{address}/api/tickets", json=body, headers=seller)

        def hold_and_cancel(http: httpx.Client, address: str) -> httpx.Response:
            ticket = self._free.get()
            try:
                held = http.post(f"{address}/api/orders", json={"ticketId": ticket}, headers=buyer)
                if held.status_code != 201:
                    return held
                return http.delete(f"{address}/api/orders/{held.json()['id']}", headers=buyer)
            finally:
                self._free.put(ticket)

        def sign_in_and_out(http: httpx.Client, address: str) -> httpx.Response:
            signed_in = http.post(f"{address}/api/users/token", data=credentials)
            if signed_in.status_code != 200:
                return signed_in
            session = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
            return http.post(f"{address}/api/users/signout", headers=session)

        match service:
            case "auth":
                return [get("users/currentuser"), sign_in_and_out]
            case "tickets":
                return [get("tickets"), sell, get("tickets/mine")]
            case "orders":
                self._put_on_sale()
                return [get("orders"), hold_and_cancel]
            case "expiration":  # it receives events only, so the callers cause events and check its readiness
                self._put_on_sale()
                orders = self.stack.state.addresses["orders"]
                return [
                    lambda http, address: http.get(f"{address}/readyz"),
                    lambda http, _: hold_and_cancel(http, orders),
                ]
            case _:
                payment = self.payment()
                return [get(f"payments/{payment}"), post(f"payments/{payment}/refresh")]

    def _put_on_sale(self) -> None:
        for _ in range(CALLERS):
            self._free.put(self.ticket())

    @contextmanager
    def two_replicas(self, service: str) -> Iterator[list[ServerProcess]]:
        """The stack's own replica and a second one with the same settings."""
        first = self.stack.processes[service]
        assert isinstance(first, ServiceProcess)
        second = ServiceProcess(
            service,
            self.stack.data.path,
            self.stack.data.logs / f"{service}-2.log",
            port=free_port(),
            environment=first.environment(),
        )
        second.start()
        try:
            yield [first, second]
        finally:
            second.stop()


@pytest.fixture(scope="module")
def marketplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marketplace]:
    ports = {name: free_port() for name in PREFERRED_PORTS}
    limits = {**ACCOUNTS_WITHOUT_LIMITS, **SALES_WITHOUT_LIMITS}
    folder: Path = tmp_path_factory.mktemp("stack")
    stack = Stack(StackOptions(folder, client=False, ports=ports, environment=limits))
    with stack.data.locked(), httpx.Client(timeout=30) as http:
        stack.start(lambda _name, _what: None)
        try:
            yield Marketplace(stack, http)
            audited = ticketing("audit", "--data-dir", folder)
            assert audited.returncode == 0, audited.stdout
        finally:
            stack.stop()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_replaced_under_load_and_no_request_fails(marketplace: Marketplace, service: str) -> None:
    with marketplace.two_replicas(service) as replicas:
        rotation = Rotation(replicas)
        load = Load(rotation, marketplace.calls(service))
        with load.running():
            load.more()
            for replica in replicas:
                rotation.take_out(replica)
                replica.terminate()
                load.more()
                replica.restart()
                rotation.put_in(replica)
                load.more()
    assert load.failed == []


def test_a_replica_killed_while_in_rotation_fails_requests(marketplace: Marketplace) -> None:
    with marketplace.two_replicas("tickets") as replicas:
        load = Load(Rotation(replicas), marketplace.calls("tickets"))
        with load.running():
            load.more()
            replicas[1].kill()
            load.more()
    assert load.failed, "the harness detects a request that fails"


def test_a_request_in_flight_at_shutdown_is_answered(marketplace: Marketplace) -> None:
    """An order of an unknown ticket waits two seconds for its event; the process is ended meanwhile."""
    answers: list[httpx.Response] = []

    with marketplace.two_replicas("orders") as (_, leaving):

        def hold() -> None:
            body, session = {"ticketId": "a" * 24}, {"Authorization": f"Bearer {marketplace.buyer}"}
            answers.append(httpx.post(f"{leaving.url}/api/orders", json=body, headers=session, timeout=30))

        caller = threading.Thread(target=hold)
        caller.start()
        in_flight = 'requests_in_flight{service="orders"} 1.0'
        wait_until(lambda: in_flight in httpx.get(f"{leaving.url}/metrics", timeout=30).text)
        leaving.terminate()
        caller.join()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{leaving.url}/healthz", timeout=30)
    assert [answer.status_code for answer in answers] == [404]


def test_all_processes_end_in_time_while_callers_and_dependencies_hang(marketplace: Marketplace) -> None:
    """A process has ten seconds to end; the test allows half as much again for a busy machine."""

    def ask() -> None:
        with suppress(httpx.HTTPError):  # the result does not matter
            marketplace.ticket()

    asked = [threading.Thread(target=ask) for _ in range(20)]
    with ExitStack() as begun:
        replicas = [begun.enter_context(marketplace.two_replicas(service))[1] for service in SERVICES]
        for replica in replicas:
            for half in (b"GET / HT", b"POST /api/orders HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{"):
                caller = begun.enter_context(socket.create_connection(("127.0.0.1", replica.port)))
                caller.sendall(half)
        for thread in asked:
            thread.start()  # events for all consumers, so that the freeze finds them at work
        marketplace.ticket()
        for name in ("mongod", "nats-server", "valkey-server"):
            server = marketplace.stack.processes[name]
            server.pause()
            begun.callback(server.resume)
        for replica in replicas:
            caller = begun.enter_context(socket.create_connection(("127.0.0.1", replica.port)))
            caller.sendall(b"GET /api/tickets HTTP/1.1\r\nHost: here\r\n\r\n")

        signalled = time.monotonic()
        for replica in replicas:
            replica.terminate()
        while running := [replica.name for replica in replicas if replica.exit_code is None]:
            assert time.monotonic() < signalled + 15, f"{running} did not end"
            time.sleep(0.05)
    for thread in asked:
        thread.join(60)
