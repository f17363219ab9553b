"""Settings of the expiration service and its worker, read from the environment."""

from typing import Final

from ticketing_common.settings import EventServiceSettings, WorkerSettings

QUEUE: Final = "expiration"
"""The queue of the timers that wake the worker."""


class Settings(EventServiceSettings, WorkerSettings):
    """Settings of the service, of its timers and of the worker's health endpoint."""

    service_name: str = "expiration"
