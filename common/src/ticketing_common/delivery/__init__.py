"""Reliable delivery of events from one service's database to the others."""

from .consumer import Consumer
from .dead_letters import DeadLetter, DeadLetters
from .operator_command import END_SESSIONS, RESET_FACTOR, OperatorCommand
from .progress import ConsumerProgress
from .relay import Relay
from .revocation_reader import revocation_reader
from .runtime import ServiceRuntime
from .stream_reader import StreamReader
from .subscription import BatchHandler, EventSubscription, Handler

__all__ = [
    "END_SESSIONS",
    "RESET_FACTOR",
    "BatchHandler",
    "Consumer",
    "ConsumerProgress",
    "DeadLetter",
    "DeadLetters",
    "EventSubscription",
    "Handler",
    "OperatorCommand",
    "Relay",
    "ServiceRuntime",
    "StreamReader",
    "revocation_reader",
]
