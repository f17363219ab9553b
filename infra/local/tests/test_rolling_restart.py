"""Each service is replaced under load without a failed request, and ends in time while its dependencies hang."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Queue
from secrets import token_hex
from typing import Any

import httpx
import pytest

from ticketing_common.topology import SERVICES
from ticketing_local.services import ServiceProcess
from ticketing_local.stack import PREFERRED_PORTS, Stack, StackOptions
from ticketing_testkit.servers import ServerProcess, free_port

from .rotation import CALLERS, Call, Load, Rotation

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]


class Marketplace:
    """A stack with a seller and a buyer who are signed in."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        (_, self.seller), (self._buyers_form, self.buyer) = self._sign_up(), self._sign_up()
        self._free: Queue[str] = Queue()

    def _sign_up(self) -> tuple[dict[str, str], dict[str, str]]:
        """The form that signs the new account in, and the headers of its session."""
        address = f"{self.stack.state.addresses['auth']}/api/users"
        person = {"email": f"{token_hex(6)}@example.com", "password": token_hex(8)}
        httpx.post(f"{address}/signup", json=person, timeout=30).raise_for_status()
        form = {"username": person["email"], "password": person["password"]}
        token = httpx.post(f"{address}/token", data=form, timeout=30).json()["access_token"]
        return form, {"Authorization": f"Bearer {token}"}

    def ticket(self) -> str:
        """The id of a new ticket."""
        addresses = self.stack.state.addresses
        made = httpx.post(
            f"{addresses['tickets']}/api/tickets", json={"title": "Seat", "price": 10}, headers=self.seller, timeout=30
        )
        return str(made.raise_for_status().json()["id"])

    def payment(self) -> str:
        """The id of a new authorised payment."""
        addresses = self.stack.state.addresses
        order = httpx.post(
            f"{addresses['orders']}/api/orders", json={"ticketId": self.ticket()}, headers=self.buyer, timeout=30
        )
        body = {"orderId": order.raise_for_status().json()["id"], "paymentMethodId": "pm_card_visa"}
        paid = httpx.post(f"{addresses['payments']}/api/payments", json=body, headers=self.buyer, timeout=30)
        return str(paid.raise_for_status().json()["id"])

    def calls(self, service: str) -> list[Call]:
        """Typical requests to this service, including writes."""

        def get(path: str) -> Call:
            return lambda http, address: http.get(f"{address}/api/{path}", headers=self.buyer)

        def post(path: str) -> Call:
            return lambda http, address: http.post(f"{address}/api/{path}", headers=self.buyer)

        def sell(http: httpx.Client, address: str) -> httpx.Response:
            body: dict[str, Any] = {"title": "Seat", "price": 10}
            return http.post(f"{address}/api/tickets", json=body, headers=self.seller)

        def hold_and_cancel(http: httpx.Client, address: str) -> httpx.Response:
            ticket = self._free.get()
            try:
                held = http.post(f"{address}/api/orders", json={"ticketId": ticket}, headers=self.buyer)
                if held.status_code != 201:
                    return held
                return http.delete(f"{address}/api/orders/{held.json()['id']}", headers=self.buyer)
            finally:
                self._free.put(ticket)

        def sign_in_and_out(http: httpx.Client, address: str) -> httpx.Response:
            signed_in = http.post(f"{address}/api/users/token", data=self._buyers_form)
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
    limits = {f"RATE_LIMIT_{what}": "off" for what in ("SIGNIN", "SIGNUP", "HOLDS", "LISTINGS", "PAYMENTS")}
    folder: Path = tmp_path_factory.mktemp("stack")
    stack = Stack(StackOptions(folder, client=False, ports=ports, environment=limits))
    with stack.data.locked():
        stack.start(lambda _name, _what: None)
        try:
            yield Marketplace(stack)
            audit = [sys.executable, "-m", "ticketing_local", "audit", "--data-dir", str(folder)]
            audited = subprocess.run(audit, capture_output=True, text=True, timeout=120, check=False)
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
            body = {"ticketId": "a" * 24}
            answers.append(httpx.post(f"{leaving.url}/api/orders", json=body, headers=marketplace.buyer, timeout=30))

        caller = threading.Thread(target=hold)
        caller.start()
        deadline = time.monotonic() + 30
        while 'requests_in_flight{service="orders"} 1.0' not in httpx.get(f"{leaving.url}/metrics", timeout=30).text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
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
