"""The cost of signing in beyond its hash, and its effect on other requests."""

import asyncio
import time
from collections.abc import Mapping
from statistics import median
from typing import Any, ClassVar, Final

import httpx
from pydantic import SecretStr

from ticketing_auth.passwords import PasswordHasher
from ticketing_auth.settings import Settings
from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.measurement import Answer, Finding, InvalidRunError
from ticketing_bench.wire import http_request
from ticketing_bench.worker import Role, Worker
from ticketing_common.entity import new_id
from ticketing_testkit.servers import ServerProcess, running_together

from .rounds import Bench, Contender, check_answers

ACCOUNTS: Final = 8
PROBES_PER_SECOND: Final = 200.0
PART_OF_CAPACITY: Final = 0.5
SIGN_INS_WATCHED: Final = 3
"""The minimum number of sign-ins during a measurement, also on a slow machine."""


class HashRole(Role):
    """The service's hasher with its threads, without a network."""

    NAME: ClassVar[str] = "hasher"

    async def open(self) -> None:
        """Start the service's default number of threads."""
        threads, queue = (Settings.model_fields[name].default for name in ("password_threads", "password_queue"))
        self._hasher = PasswordHasher(threads=threads, queue=queue)

    async def close(self) -> None:
        """End the threads."""
        self._hasher.close()

    async def verify(self, password: str, calls: int, seconds: float) -> dict[str, Any]:
        """Verify the right password with `calls` concurrent calls."""
        secret = SecretStr(password)
        stored = await self._hasher.hash(secret)
        done = 0

        async def keep_verifying() -> None:
            nonlocal done
            while time.monotonic() < deadline:
                if not (await self._hasher.verify(secret, stored)).matches:
                    raise ValueError("the right password is refused")
                done += 1

        processors = CpuTime("server", self.pids)
        begun = time.monotonic()
        deadline = begun + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                group.create_task(keep_verifying())
        return {"rate": done / (time.monotonic() - begun), "cpu": processors.cores()}


def measure_signing_in(bench: Bench) -> list[Finding]:
    """Measure the maximum rate of sign-ins, then the effect of half that rate on other requests."""
    deployment = bench.deployment
    service = deployment.service("auth")
    password = new_id()
    with running_together(service), Worker(HashRole, urls={}, pids=deployment.pids) as hasher:
        accounts = [_sign_up(service, f"buyer{number}@example.com", password) for number in range(ACCOUNTS)]
        sign_ins = [http_request("POST", "/api/users/signin", body=account) for account in accounts]

        def hash_alone(seconds: float) -> Answer:
            return hasher.ask("verify", password=password, calls=bench.connections, seconds=seconds)

        costs = bench.compare_costs(
            "POST /api/users/signin",
            bench.asked("the service", service, lambda: sign_ins),
            Contender("the hash alone", hash_alone),
            at_least=0.8,
            note="Right passwords; the hash alone is the service's hasher with the same number of threads",
        )
        rate = PART_OF_CAPACITY * median(costs[0].rounds)
        return [*costs, *_others(bench, service, {"rate": rate, "requests": sign_ins})]


def _others(bench: Bench, service: ServerProcess, sign_ins: Mapping[str, Any]) -> list[Finding]:
    token = bench.deployment.token(new_id())
    probe = {"rate": PROBES_PER_SECOND, "requests": [http_request("GET", "/api/users/currentuser", token=token)]}

    def during_sign_ins(seconds: float) -> Answer:
        seconds = max(seconds, SIGN_INS_WATCHED / sign_ins["rate"])
        answer = bench.watched(service, probe, seconds, beside=sign_ins)
        check_answers("sign-ins", answer["beside"], 200)
        return answer

    return bench.compare_delays(
        "GET currentuser while people sign in",
        Contender("during sign-ins", during_sign_ins),
        Contender("without sign-ins", lambda seconds: bench.watched(service, probe, seconds)),
        at_most=2.0,
        note=(
            f"{PROBES_PER_SECOND:g} requests/s in an open loop; {sign_ins['rate']:.0f} sign-ins/s beside them, half of "
            f"what the service can do"
        ),
    )


def _sign_up(service: ServerProcess, email: str, password: str) -> dict[str, str]:
    account = {"email": email, "password": password}
    answer = httpx.post(f"{service.url}/api/users/signup", json=account)
    if answer.status_code != 201:
        raise InvalidRunError(f"sign-up: {answer.status_code} {answer.text}")
    return account
