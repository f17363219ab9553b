"""With the cluster's NATS configuration no service can change a stream; the operator declares all of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, RePublish, StreamSource
from typer.testing import CliRunner

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.messaging import stream_config, stream_drift
from ticketing_common.settings import EventServiceSettings
from ticketing_common.topology import DEAD_LETTERS, PAYMENTS, TICKETS
from ticketing_ops.cli import app
from ticketing_testkit.servers import Mongod

from .cluster_bus import OPERATOR, OWN, OWN_READERS, PATIENCE_SECONDS, REFUSED_SECONDS, STREAMS, refused, subject_of

ATTACKS: dict[str, dict[str, Any]] = {
    "copy events to another's subject": {"republish": RePublish(src=">", dest="order.completed.>")},
    "take in another's events": {"sources": [StreamSource(name=PAYMENTS)]},
    "become another's copy": {"mirror": StreamSource(name=PAYMENTS), "subjects": None},
    "take over another's subjects": {"subjects": ["order.completed.*"]},
    "keep nothing": {"max_msgs": 1},
}
"""Changes of a stream's configuration. The right to update its own stream allowed the first two (observed)."""


async def test_no_service_changes_a_stream_even_its_own(clients: dict[str, Client]) -> None:
    """With `republish` tickets forged `order.completed`; with `sources` it read PAYMENTS."""
    attempts: list[Awaitable[object]] = []
    for user, stream in OWN.items():
        js = clients[user].jetstream(timeout=REFUSED_SECONDS)
        for change in ATTACKS.values():
            own, letters = (replace(stream_config(name, replicas=1), **change) for name in (stream, DEAD_LETTERS))
            attempts += [
                attempt(changed) for attempt in (js.update_stream, js.add_stream) for changed in (own, letters)
            ]
            attempts.append(js.add_stream(replace(own, name="NEW")))

    await refused(*attempts)

    operator = clients[OPERATOR].jetstream()
    assert {name: await stream_drift(operator, stream_config(name, replicas=1)) for name in STREAMS} == {
        name: {} for name in STREAMS
    }
    assert {info.config.name for info in await operator.streams_info()} == set(STREAMS)


async def test_no_service_empties_or_deletes_a_stream(clients: dict[str, Client]) -> None:
    operator, streams = clients[OPERATOR].jetstream(), (*OWN.values(), DEAD_LETTERS)
    for subject in ("dead_letters.x-y", *map(subject_of, OWN.values())):
        await operator.publish(subject, b"kept")

    attempts: list[Awaitable[object]] = []
    for user in OWN:
        js = clients[user].jetstream(timeout=REFUSED_SECONDS)
        for stream in streams:
            attempts += [js.purge_stream(stream), js.delete_msg(stream, 1), js.delete_stream(stream)]
    await refused(*attempts)

    assert {(await operator.stream_info(stream)).state.messages for stream in streams} == {1}


@pytest.mark.parametrize("user", OWN_READERS)
async def test_a_consumer_that_delivers_to_anothers_subject_forges_nothing(
    clients: dict[str, Client], user: str
) -> None:
    """The server accepts it without a check of its target, but delivers to subscribers only, never to a stream."""
    operator, js = clients[OPERATOR].jetstream(), clients[user].jetstream()
    other = PAYMENTS
    await operator.publish("dead_letters.x-y", b"kept")
    for target in (subject_of(other), "$JS.API.STREAM.PURGE.DEAD_LETTERS"):
        await js.add_consumer(OWN[user], ConsumerConfig(deliver_subject=target, ack_policy=AckPolicy.NONE, name="x"))
        await js.publish(subject_of(OWN[user]), b"{}")
        reader = await operator.subscribe(subject_of(OWN[user]), ordered_consumer=True)
        await reader.next_msg(timeout=PATIENCE_SECONDS)  # the server has had time to deliver that event
        assert (await operator.consumer_info(OWN[user], "x")).delivered.consumer_seq == 0
        await reader.unsubscribe()
        await js.delete_consumer(OWN[user], "x")

    assert (await operator.stream_info(other)).state.messages == 0
    assert (await operator.stream_info(DEAD_LETTERS)).state.messages == 1


@pytest.fixture
async def waiting(clients: dict[str, Client], mongod: Mongod) -> AsyncIterator[ServiceRuntime]:
    """The runtime of a service as started in the cluster, before any stream exists."""
    for name in STREAMS:
        await clients[OPERATOR].jetstream().delete_stream(name)
    address = clients["tickets"].connected_url
    assert address is not None
    settings = EventServiceSettings.model_validate(
        {
            "service_name": "tickets",
            "mongo_url": mongod.url,
            "mongo_database": f"bus_{secrets.token_hex(4)}",
            "jwt_public_keys": ["unused"],
            "nats_url": address.geturl(),
            "nats_makes_streams": False,
        }
    )
    runtime = ServiceRuntime(settings, publishes=TICKETS)
    runtime.start()
    try:
        yield runtime
    finally:
        await runtime.stop()


async def test_a_service_waits_until_the_operator_has_declared_its_streams(
    clients: dict[str, Client], waiting: ServiceRuntime
) -> None:
    with pytest.raises(TimeoutError):
        await waiting.wait_until_ready(1.5)
    assert await clients[OPERATOR].jetstream().streams_info() == []

    address = clients[OPERATOR].connected_url
    assert address is not None
    environment = {"NATS_URL": address.geturl(), "NATS_REPLICAS": "1"}
    result = await asyncio.to_thread(CliRunner(env=environment).invoke, app, ["streams", "apply"])

    assert result.exit_code == 0, result.output
    await waiting.wait_until_ready(PATIENCE_SECONDS)
