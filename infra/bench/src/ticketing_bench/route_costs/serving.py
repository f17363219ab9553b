"""The services as `ticketing up` runs them, and the baselines with the same command."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ticketing_bench.servers import Servers
from ticketing_local.services import ServiceProcess
from ticketing_testkit.apps import Identity
from ticketing_testkit.servers import ServerProcess, ServerStartError, free_port

BASELINE_APP: Final = "ticketing_bench.route_costs.baseline:create_app"
DAY_SECONDS: Final = 86_400
CATALOGUE: Final = "tickets"
"""The database of the tickets service, which its baseline reads too."""
BASELINE: Final = "plain"
"""The database of the baselines' writes, separate from those of the services."""


class BaselineProcess(ServiceProcess):
    """The bare routes, with all uvicorn arguments of a service."""

    def command(self) -> Sequence[str]:
        """The command of a service with another application."""
        service = f"ticketing_{self.name}.app:create_app"
        return [BASELINE_APP if argument == service else argument for argument in super().command()]


class Deployment:
    """Creates processes that share the servers and the key of one run, with their logs in its folder."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.urls = servers.urls
        self.pids = servers.pids
        self._folder = folder
        self._identity = Identity()

    def token(self, user_id: str) -> str:
        """A token that is valid for the whole run."""
        return self._identity.token(user_id, exp=int(time.time()) + DAY_SECONDS)

    def service(self, name: str, *, called: str = "", **settings: str) -> ServiceProcess:
        """A replica as in the local stack, without rate limits; `called` distinguishes its log from others."""
        environment = {
            "MONGO_URL": self.urls["mongo_url"],
            "MONGO_DATABASE": name,
            "NATS_URL": self.urls["nats_url"],
            "REDIS_URL": "redis://127.0.0.1:9/0",  # no route needs it, so none is started
            "JWT_KEY": self._identity.private_key_pem,
            "JWT_PUBLIC_KEYS": json.dumps([self._identity.public_key_pem]),
            "PASS_KEY": self._identity.pass_key_pem,
            "SECOND_FACTOR_KEYS": json.dumps([self._identity.second_factor_key]),
            "COOKIE_SECURE": "false",
            "ALLOWED_ORIGINS": "[]",
            "OTEL_TRACES_EXPORTER": "none",
            "RATE_LIMIT_SIGNUP": "off",
            "RATE_LIMIT_SIGNIN": "off",
            "RATE_LIMIT_HOLDS": "off",
            "RATE_LIMIT_LISTINGS": "off",
            "RATE_LIMIT_PAYMENTS": "off",
        }
        log = self._folder / f"{called or name}.log"
        return ServiceProcess(name, self._folder, log, port=free_port(), environment=environment | settings)

    def baseline(self, page: bytes = b"[]") -> BaselineProcess:
        """The bare routes; one of them returns these bytes."""
        answer = self._folder / "page.json"
        answer.write_bytes(page)
        environment = {"MONGO_URL": self.urls["mongo_url"], "PLAIN_ANSWER": str(answer)}
        log = self._folder / "baseline.log"
        return BaselineProcess("baseline", self._folder, log, port=free_port(), environment=environment)

    def pids_of(self, server: ServerProcess) -> dict[str, int]:
        """The process ids whose CPU time is counted while this server is measured."""
        if server.pid is None:
            raise ServerStartError(f"{server.name} has ended. Its log ends:\n{server.tail()}")
        return {"server": server.pid, **self.pids}
