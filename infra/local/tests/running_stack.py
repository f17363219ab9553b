"""A stack that a test starts and drives as a user does: with the `ticketing` command, and over HTTP."""

import os
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final, Self

import httpx

from ticketing_ops.api import Api
from ticketing_ops.data_dir import DataDir, StackState

__all__ = ["ACCOUNTS_WITHOUT_LIMITS", "SALES_WITHOUT_LIMITS", "TICKETING", "RunningStack", "Traders", "ticketing"]

TICKETING: Final = Path(sysconfig.get_path("scripts")) / "ticketing"
ACCOUNTS_WITHOUT_LIMITS: Final = {"RATE_LIMIT_SIGNIN": "off", "RATE_LIMIT_SIGNUP": "off"}
SALES_WITHOUT_LIMITS: Final = {f"RATE_LIMIT_{what}": "off" for what in ("HOLDS", "LISTINGS", "PAYMENTS")}
ELSEWHERE: Final = ("_MONGO_URL", "NATS_URL", "STRIPE_KEY", "STRIPE_API_BASE")
"""Endings of variables that would lead the commands to other servers."""


def ticketing(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith(ELSEWHERE)}
    return subprocess.run(
        [TICKETING, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, "COLUMNS": "160", **ACCOUNTS_WITHOUT_LIMITS, **environment},
    )


class RunningStack:
    """A detached stack in a folder; without a client unless `client` is set. `environment` is that of all commands."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = {}, *, client: bool = False) -> None:
        self.folder = folder
        self._options = () if client else ("--no-client",)
        self._environment = environment

    @contextmanager
    def running(self, **environment: str) -> Iterator[Self]:
        """Start it, and stop it at the end."""
        started = self.up(**environment)
        try:
            assert started.returncode == 0, started.stdout + started.stderr
            yield self
        finally:
            self.run("down")

    def up(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--detach", *self._options, **environment)

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return ticketing(*arguments, "--data-dir", self.folder, **{**self._environment, **environment})

    def succeed(self, *arguments: object) -> str:
        """Run a command that must succeed; returns what it printed."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @property
    def state(self) -> StackState:
        found = DataDir(self.folder).read_state()
        assert found is not None
        return found

    def log(self, process: str) -> list[str]:
        return (self.folder / "logs" / f"{process}.log").read_text().splitlines()


class Traders:
    """A seller and a buyer with accounts at a stack."""

    def __init__(self, http: httpx.Client, addresses: Mapping[str, str]) -> None:
        self.api = Api(http, addresses)
        self.password = token_hex(8)
        self.buyers_email = f"{token_hex(6)}@example.com"
        self.seller = self.api.account(f"{token_hex(6)}@example.com", self.password)
        self.buyer = self.api.account(self.buyers_email, self.password)

    def ticket(self) -> str:
        """The id of a new ticket."""
        made = self.api.call("POST", "/api/tickets", self.seller, json={"title": "Seat", "price": 25.5})
        return str(made.raise_for_status().json()["id"])

    def hold(self, ticket_id: str) -> httpx.Response:
        return self.api.call("POST", "/api/orders", self.buyer, json={"ticketId": ticket_id})

    def order(self) -> str:
        """The id of an order of a new ticket."""
        return str(self.hold(self.ticket()).raise_for_status().json()["id"])

    def pay(self, order_id: str) -> httpx.Response:
        body = {"orderId": order_id, "paymentMethodId": "pm_card_visa"}
        return self.api.call("POST", "/api/payments", self.buyer, json=body)

    def status(self, order_id: str) -> str:
        return str(self.api.call("GET", f"/api/orders/{order_id}", self.buyer).json()["status"])
