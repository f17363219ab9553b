"""A reverse proxy with a rotation of replicas, and callers of it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import httpx

from ticketing_testkit.servers import ServerProcess

Call = Callable[[httpx.Client, str], httpx.Response]

CALLERS = 4
ENOUGH = 60
"""Requests between two steps: enough that every kind is in flight at any moment of a restart."""


class Rotation:
    """The replicas that a gateway sends requests to."""

    def __init__(self, replicas: list[ServerProcess]) -> None:
        self._changed = threading.Condition()
        self._ready = list(replicas)
        self._in_hand = dict.fromkeys((replica.url for replica in replicas), 0)
        self._turn = count()

    @contextmanager
    def address(self) -> Iterator[str]:
        """The address of the next replica, for one call."""
        with self._changed:
            url = self._ready[next(self._turn) % len(self._ready)].url
            self._in_hand[url] += 1
        try:
            yield url
        finally:
            with self._changed:
                self._in_hand[url] -= 1
                self._changed.notify_all()

    def take_out(self, replica: ServerProcess) -> None:
        """As in Kubernetes: no new requests arrive, and requests in flight finish before SIGTERM."""
        with self._changed:
            self._ready.remove(replica)
            assert self._changed.wait_for(lambda: not self._in_hand[replica.url], 30)

    def put_in(self, replica: ServerProcess) -> None:
        with self._changed:
            self._ready.append(replica)


@dataclass
class Load:
    """Callers that send requests without a pause, and the results."""

    rotation: Rotation
    calls: list[Call]
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def running(self) -> Iterator[None]:
        callers = [threading.Thread(target=self._ask, args=(number,)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            self._stop.set()
            for caller in callers:
                caller.join()

    def more(self, requests: int = ENOUGH, seconds: float = 60.0) -> None:
        """Return after so many more requests have been answered or have failed."""
        wanted, deadline = self.answered + requests, time.monotonic() + seconds
        while self.answered < wanted:
            assert time.monotonic() < deadline, f"only {self.answered} of {wanted} answers came"
            time.sleep(0.02)

    def _ask(self, number: int) -> None:
        with httpx.Client(timeout=30) as http:
            for turn in count(number):
                if self._stop.is_set():
                    return
                try:
                    with self.rotation.address() as address:
                        answer = self.calls[turn % len(self.calls)](http, address)
                    problem = f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:200]}"
                    failed = answer.status_code >= 400
                except httpx.HTTPError as error:
                    problem, failed = repr(error), True
                with self._lock:
                    self.answered += 1
                    if failed:
                        self.failed.append(problem)
