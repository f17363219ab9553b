"""Declared streams and consumers: created if missing, updated on drift; an error if the broker refuses the update."""

import json
from dataclasses import fields
from typing import Any, Final

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ConsumerInfo,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError, ServerError
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential

from ticketing_common.telemetry import get_logger
from ticketing_common.topology import SAFETY_NETS, STREAM_SUBJECTS

log = get_logger(__name__)

DAY_SECONDS: Final = 24 * 3600
STORE_FAILED: Final = 10049
"""The server's code for `error creating store for stream`."""
DUPLICATE_WINDOW_SECONDS: Final = 15 * 60.0
"""How long the broker remembers message ids: longer than usual outages. Later duplicates meet apply-if-newer."""
SERVER_DEFAULTS: Final = {"compression": "none", "persist_mode": "default"}
"""What the server reports for a field that was never set, where that is not an empty value."""
SERVER_METADATA: Final = "_nats."
"""Metadata under this prefix belongs to the server: its version and its API level (ADR-44 of NATS)."""

Drift = dict[str, tuple[object, object]]
"""Fields that differ: name → (declared, actual)."""


class ConfigurationDriftError(Exception):
    """The broker's configuration differs from the declaration, and the broker refuses the change."""


def stream_config(name: str, *, replicas: int) -> StreamConfig:
    """The declaration of a stream. It sets every limit and relies on no broker default."""
    return StreamConfig(
        name=name,
        subjects=list(SAFETY_NETS[name]) if name in SAFETY_NETS else [STREAM_SUBJECTS[name]],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        num_replicas=replicas,
        max_age=(90 if name in SAFETY_NETS else 7) * DAY_SECONDS,
        max_bytes=-1,
        max_msgs=-1,
        max_msg_size=512 * 1024,
        max_consumers=-1,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        allow_direct=True,
        deny_delete=False,
        deny_purge=False,
    )


def consumer_config(
    durable: str,
    *,
    filter_subjects: list[str],
    ack_wait_seconds: float,
    max_ack_pending: int,
    max_deliver: int,
    replicas: int,
) -> ConsumerConfig:
    """The declaration of a durable pull consumer, shared by all replicas of a service."""
    return ConsumerConfig(
        durable_name=durable,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        filter_subjects=filter_subjects,
        ack_wait=ack_wait_seconds,
        max_ack_pending=max_ack_pending,
        max_deliver=max_deliver,
        max_waiting=512,
        num_replicas=replicas,
    )


async def stream_drift(js: JetStreamContext, config: StreamConfig) -> Drift:
    """The fields in which the stream differs from its declaration; raises `NotFoundError` if it does not exist.

    A field that is not declared must be empty on the server: `republish`, `sources` or `mirror`, set by another client,
    copy events out of the stream or into it. The answer is compared as JSON, since the client drops fields that it does
    not know, and a newer server has more of them.
    """
    answer = await js._api_request(f"{js._prefix}.STREAM.INFO.{config.name}", timeout=js._timeout)
    declared: dict[str, Any] = json.loads(json.dumps(config.as_dict()))
    actual: dict[str, Any] = answer["config"]
    differing: Drift = {}
    for name in sorted(declared.keys() | actual.keys()):
        wanted, found = declared.get(name, SERVER_DEFAULTS.get(name)), actual.get(name, SERVER_DEFAULTS.get(name))
        if name == "metadata":
            found = {key: value for key, value in (found or {}).items() if not key.startswith(SERVER_METADATA)}
        if wanted != found and (wanted or found):
            differing[name] = (wanted, found)
    return differing


def _drift(declared: ConsumerConfig, actual: Any) -> Drift:
    """Fields that are declared (not None) and differ."""
    differing: Drift = {}
    for name in (field.name for field in fields(declared)):
        wanted, found = getattr(declared, name), getattr(actual, name)
        if name == "filter_subjects" and wanted and not found and actual.filter_subject:
            found = [actual.filter_subject]
        if wanted is not None and wanted != found and not (not wanted and not found):
            differing[name] = (wanted, found)
    return differing


def _still_leaving(error: BaseException) -> bool:
    return isinstance(error, ServerError) and error.err_code == STORE_FAILED


@retry(retry=retry_if_exception(_still_leaving), wait=wait_exponential(0.05), stop=stop_after_attempt(6), reraise=True)
async def _add_stream(js: JetStreamContext, config: StreamConfig) -> None:
    """Retries after a stream of that name was deleted: under load the server may still remove its files."""
    await js.add_stream(config)


async def ensure_stream(js: JetStreamContext, config: StreamConfig) -> None:
    """Create or update the stream as declared. Raises `ConfigurationDriftError` if the broker refuses the change."""
    name = str(config.name)
    try:
        drift = await stream_drift(js, config)
    except NotFoundError:
        await _add_stream(js, config)
        log.info("stream created", stream=name)
        return
    if not drift:
        return
    try:
        await js.update_stream(config)
    except (BadRequestError, ServerError) as error:
        raise ConfigurationDriftError(f"stream {name} differs and cannot be changed: {drift} ({error})") from error
    log.warning("stream configuration had drifted and was updated", stream=name, drift=repr(drift))


async def ensure_consumer(js: JetStreamContext, stream: str, config: ConsumerConfig) -> ConsumerInfo:
    """Create or update the durable as declared; replicas may do this at the same time.

    Raises `ConfigurationDriftError` if the broker refuses, `NotFoundError` if the stream does not exist.
    """
    durable = str(config.durable_name)
    try:
        info: ConsumerInfo = await js.consumer_info(stream, durable)
    except NotFoundError:
        await js.stream_info(stream)  # says which of the two is missing
        created: ConsumerInfo = await js.add_consumer(stream, config)
        log.info("consumer created", stream=stream, consumer=durable)
        return created
    drift = _drift(config, info.config)
    if drift:
        try:
            info = await js.add_consumer(stream, config)  # the same call creates and updates
        except (BadRequestError, ServerError) as error:
            raise ConfigurationDriftError(
                f"consumer {durable} differs and cannot be changed: {drift} ({error})"
            ) from error
        log.warning("consumer configuration had drifted and was updated", consumer=durable, drift=repr(drift))
    return info
