"""Valkey as the cluster runs it: with its configuration, and the access list that `cluster_secrets.py` makes."""

import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .servers import RedisServer

MANIFESTS: Final = Path(__file__).resolve().parents[3] / "k8s"


class ClusterRedis(RedisServer):
    """The server, and a user `test` with all rights besides those of the cluster."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._secrets = dict(runpy.run_path(str(MANIFESTS / "cluster_secrets.py"))["timers"]())

    @property
    def url(self) -> str:
        """The address that the test itself uses."""
        return f"redis://test:any@127.0.0.1:{self.port}/0"

    def url_of(self, service: str) -> str:
        """The address of a service, with its rights."""
        address: str = self._secrets[f"{service}-redis"]["REDIS_URL"]
        return address.replace("redis:6379", f"127.0.0.1:{self.port}")

    def command(self) -> Sequence[str]:
        """The command line; the directory and the port replace those of the container."""
        users = self.directory / "users.acl"
        users.write_text(f"{self._secrets['redis']['users.acl']}user test on nopass ~* &* +@all\n")
        configuration = (MANIFESTS / "redis" / "redis.conf").read_text()
        configuration = configuration.replace("/etc/redis-acl/users.acl", str(users))
        file = self.directory / "redis.conf"
        file.write_text(configuration.replace("dir /data", f"dir {self.directory}"))
        return [super().command()[0], str(file), "--port", str(self.port), "--bind", "127.0.0.1"]
