"""Timers on Redis, and the worker process that they wake. Needs the extra `timers` of this package."""

from .timers import JOB, Timers, connect, to_json
from .worker import TimerWorker

__all__ = ["JOB", "TimerWorker", "Timers", "connect", "to_json"]
