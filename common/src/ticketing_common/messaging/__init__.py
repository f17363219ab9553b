"""NATS JetStream: the connection, the streams, and publishing with acknowledgement."""

from .connection import NatsConnection
from .publisher import Message, NotPublishedError, Publisher, RefusedError, Sent
from .streams import (
    ConfigurationDriftError,
    consumer_config,
    ensure_consumer,
    ensure_stream,
    stream_config,
    stream_drift,
)

__all__ = [
    "ConfigurationDriftError",
    "Message",
    "NatsConnection",
    "NotPublishedError",
    "Publisher",
    "RefusedError",
    "Sent",
    "consumer_config",
    "ensure_consumer",
    "ensure_stream",
    "stream_config",
    "stream_drift",
]
