"""NATS JetStream: the connection, the streams, and publishing with acknowledgement."""

from .connection import NatsConnection, tls_options
from .publisher import JetStreamPublisher, Message, NotPublishedError, RefusedError, Sent
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
    "JetStreamPublisher",
    "Message",
    "NatsConnection",
    "NotPublishedError",
    "RefusedError",
    "Sent",
    "consumer_config",
    "ensure_consumer",
    "ensure_stream",
    "stream_config",
    "stream_drift",
    "tls_options",
]
