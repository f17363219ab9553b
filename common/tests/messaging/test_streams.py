import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from nats.js.api import (
    ConsumerConfig,
    DeliverPolicy,
    RePublish,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
    StreamConsumerLimits,
    StreamSource,
    SubjectTransform,
)
from nats.js.errors import NotFoundError, ServerError

from ticketing_common.messaging import (
    ConfigurationDriftError,
    consumer_config,
    ensure_consumer,
    ensure_stream,
    stream_config,
    stream_drift,
)
from ticketing_common.messaging.streams import DAY_SECONDS
from ticketing_common.topology import ORDERS, SAFETY_NETS, STREAM_SUBJECTS
from ticketing_testkit.apps import Bus


def orders() -> StreamConfig:
    return stream_config(ORDERS, replicas=1)


def durable() -> ConsumerConfig:
    return consumer_config(
        "tickets-orders",
        filter_subjects=["order.cancelled.*", "order.created.*"],
        ack_wait_seconds=30,
        max_ack_pending=100,
        max_deliver=10,
        replicas=1,
    )


@pytest.mark.parametrize("name", [*STREAM_SUBJECTS, *SAFETY_NETS])
async def test_a_stream_is_as_declared(bus: Bus, name: str) -> None:
    info = await bus.js.stream_info(name)
    assert info.config.subjects == ([STREAM_SUBJECTS[name]] if name in STREAM_SUBJECTS else list(SAFETY_NETS[name]))
    assert info.config.storage == StorageType.FILE
    assert info.config.max_age == (90 if name in SAFETY_NETS else 7) * DAY_SECONDS
    assert info.config.duplicate_window == 15 * 60


async def test_several_replicas_may_declare_the_same_stream_and_consumer_at_once(bus: Bus) -> None:
    await bus.js.delete_stream(ORDERS)

    await asyncio.gather(*(ensure_stream(bus.js, orders()) for _ in range(5)))
    await asyncio.gather(*(ensure_consumer(bus.js, ORDERS, durable()) for _ in range(5)))

    assert [info.name for info in await bus.js.consumers_info(ORDERS)] == ["tickets-orders"]


async def test_declaring_again_changes_nothing(bus: Bus) -> None:
    await bus.js.publish("order.created.x", b"kept")
    created = (await bus.js.stream_info(ORDERS)).created

    await ensure_stream(bus.js, orders())

    info = await bus.js.stream_info(ORDERS)
    assert (info.created, info.state.messages) == (created, 1)


async def test_repairable_drift_is_repaired(bus: Bus) -> None:
    await bus.js.publish("order.created.x", b"kept")
    await bus.js.update_stream(replace(orders(), max_age=DAY_SECONDS, duplicate_window=60))

    await ensure_stream(bus.js, orders())

    info = await bus.js.stream_info(ORDERS)
    assert info.config.max_age == 7 * DAY_SECONDS
    assert info.config.duplicate_window == 15 * 60
    assert info.state.messages == 1


CHANGED = {
    "republish": RePublish(src="order.>", dest="payment.authorized.>"),
    "sources": [StreamSource(name="PAYMENTS")],
    "subject_transform": SubjectTransform(src="order.>", dest="order.other.>"),
    "subjects": ["order.>", "other.>"],
    "discard": "new",
    "max_msgs": 5,
    "max_bytes": 1024 * 1024,
    "max_msgs_per_subject": 1,
    "max_msg_size": 1024,
    "no_ack": True,
    "allow_rollup_hdrs": True,
    "allow_direct": False,
    "compression": StoreCompression.S2,
    "consumer_limits": StreamConsumerLimits(max_ack_pending=5),
    "metadata": {"a": "b"},
}
"""Every field that can be changed back, with a value that differs from the declaration."""
CHANGED_FOR_GOOD: dict[str, Any] = {"sealed": True, "deny_delete": True, "deny_purge": True, "allow_msg_ttl": True}
"""Fields that cannot be changed back on the server."""


@pytest.mark.parametrize("field", CHANGED)
async def test_drift_in_any_field_is_seen_and_repaired(bus: Bus, field: str) -> None:
    await bus.js.publish("order.created.x", b"kept")
    await bus.js.update_stream(replace(orders(), **{field: CHANGED[field]}))  # type: ignore[arg-type]  # one field each

    assert field in await stream_drift(bus.js, orders())
    await ensure_stream(bus.js, orders())

    assert await stream_drift(bus.js, orders()) == {}
    assert (await bus.js.stream_info(ORDERS)).state.messages == 1


@pytest.mark.parametrize("field", CHANGED_FOR_GOOD)
async def test_drift_that_the_server_keeps_is_an_error(bus: Bus, field: str) -> None:
    await bus.js.update_stream(replace(orders(), **{field: CHANGED_FOR_GOOD[field]}))

    with pytest.raises(ConfigurationDriftError, match=field):
        await ensure_stream(bus.js, orders())


async def test_a_mirror_under_the_name_of_a_stream_becomes_that_stream(bus: Bus) -> None:
    await bus.js.delete_stream(ORDERS)
    await bus.js.add_stream(StreamConfig(name=ORDERS, mirror=StreamSource(name="PAYMENTS")))

    assert "mirror" in await stream_drift(bus.js, orders())
    await ensure_stream(bus.js, orders())

    assert await stream_drift(bus.js, orders()) == {}


@pytest.mark.unit
async def test_a_field_that_the_client_does_not_know_is_drift_too() -> None:
    class Newer(_LeavingTheDisk):
        async def _api_request(self, _subject: str, **_options: object) -> dict[str, object]:
            return {"config": {**json.loads(json.dumps(orders().as_dict())), "forward_everything": True}}

    assert await stream_drift(Newer(0, 0), orders()) == {"forward_everything": (None, True)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "different",
    [{"storage": StorageType.MEMORY}, {"retention": RetentionPolicy.WORK_QUEUE}],
    ids=["storage", "retention"],
)
async def test_unrepairable_drift_is_reported_and_nothing_is_lost(bus: Bus, different: dict[str, object]) -> None:
    await bus.js.delete_stream(ORDERS)
    await bus.js.add_stream(replace(orders(), **different))  # type: ignore[arg-type]  # one field each
    await bus.js.publish("order.created.x", b"kept")

    with pytest.raises(ConfigurationDriftError, match=next(iter(different))):
        await ensure_stream(bus.js, orders())

    assert (await bus.js.stream_info(ORDERS)).state.messages == 1


async def test_a_consumer_follows_its_declaration_and_keeps_its_place(bus: Bus) -> None:
    await ensure_consumer(bus.js, ORDERS, durable())
    await bus.js.publish("order.created.x", b"read")
    pull = await bus.js.pull_subscribe_bind("tickets-orders", stream=ORDERS)
    (message,) = await pull.fetch(1)
    await message.ack_sync()

    changed = replace(durable(), ack_wait=5, filter_subjects=["order.created.*"])
    await ensure_consumer(bus.js, ORDERS, changed)

    info = await bus.js.consumer_info(ORDERS, "tickets-orders")
    assert info.config.ack_wait == 5
    assert info.num_pending == 0
    await ensure_consumer(bus.js, ORDERS, changed)  # a single filter reads back as one: no drift


async def test_a_consumer_that_cannot_be_changed_is_reported(bus: Bus) -> None:
    await bus.js.add_consumer(ORDERS, replace(durable(), deliver_policy=DeliverPolicy.NEW))

    with pytest.raises(ConfigurationDriftError, match="deliver_policy"):
        await ensure_consumer(bus.js, ORDERS, durable())


async def test_a_consumer_waits_for_its_stream(bus: Bus) -> None:
    await bus.js.delete_stream(ORDERS)
    with pytest.raises(NotFoundError):
        await ensure_consumer(bus.js, ORDERS, durable())


class _LeavingTheDisk:
    """A broker that is still removing the old stream's files, as a busy one does for a moment."""

    _prefix, _timeout = "$JS.API", 1.0

    def __init__(self, refusals: int, code: int) -> None:
        self.asked = 0
        self._refusals, self._code = refusals, code

    async def _api_request(self, _subject: str, **_options: object) -> dict[str, object]:
        raise NotFoundError

    async def add_stream(self, _config: object) -> None:
        self.asked += 1
        if self.asked <= self._refusals:
            raise ServerError(code=500, err_code=self._code, description="error creating store for stream")


@pytest.mark.unit
async def test_a_stream_is_created_after_the_files_of_its_namesake_are_removed() -> None:
    broker = _LeavingTheDisk(2, 10049)
    await ensure_stream(broker, orders())  # type: ignore[arg-type]
    assert broker.asked == 3


@pytest.mark.unit
async def test_any_other_refusal_of_the_broker_is_raised() -> None:
    broker = _LeavingTheDisk(2, 10023)
    with pytest.raises(ServerError):
        await ensure_stream(broker, orders())  # type: ignore[arg-type]
    assert broker.asked == 1
