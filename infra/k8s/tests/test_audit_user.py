"""The user `audit` of the cluster's NATS configuration reads all that the audit needs, and changes nothing."""

from collections.abc import Awaitable
from datetime import timedelta

from nats.aio.client import Client
from nats.js.api import ConsumerConfig

from ticketing_common.entity import utc_now
from ticketing_common.messaging import stream_config, stream_drift
from ticketing_common.topology import DURABLES, TICKETS
from ticketing_ops.audit.bus import bus_findings, connected
from ticketing_ops.audit.invariants import Moment

from .cluster_bus import AUDIT, OPERATOR, OWN, REFUSED_SECONDS, STREAMS, refused, subject_of

LATER = timedelta(hours=1)


async def test_the_audit_reads_the_same_from_the_bus_as_the_operator(clients: dict[str, Client]) -> None:
    operator = clients[OPERATOR].jetstream()
    for stream, durable in DURABLES[:-1]:  # the last one is missing
        await operator.add_consumer(stream, ConsumerConfig(durable_name=durable))
    await operator.publish(subject_of(TICKETS), b"{}")
    await operator.publish("dead_letters.x-y", b"unreadable")

    found = {}
    for user in (AUDIT, OPERATOR):
        address = clients[user].connected_url
        assert address is not None
        moment = Moment(now=utc_now() + LATER, grace=timedelta(seconds=1))
        async with connected(address.geturl()) as client:
            found[user] = sorted([finding.invariant async for finding, _ in bus_findings(client, moment)])
    assert found[AUDIT] == found[OPERATOR] == ["consumer_missing", "consumer_stuck", "dead_letter"]


async def test_the_audit_changes_nothing_on_the_bus(clients: dict[str, Client]) -> None:
    operator, js = clients[OPERATOR].jetstream(), clients[AUDIT].jetstream(timeout=REFUSED_SECONDS)
    await operator.add_consumer(TICKETS, ConsumerConfig(durable_name="orders-tickets"))
    for stream in OWN.values():
        await operator.publish(subject_of(stream), b"kept")

    def attempts(stream: str) -> list[Awaitable[object]]:
        return [
            js.publish(subject_of(stream), b"forged", timeout=REFUSED_SECONDS),
            js.purge_stream(stream),
            js.delete_msg(stream, 1),
            js.delete_stream(stream),
            js.update_stream(stream_config(stream, replicas=1)),
            js.add_consumer(stream, ConsumerConfig(durable_name="mine")),
        ]

    await refused(
        *(attempt for stream in OWN.values() for attempt in attempts(stream)),
        js.delete_consumer(TICKETS, "orders-tickets"),
        clients[AUDIT].request("resync.tickets", b"", timeout=REFUSED_SECONDS),
    )

    for stream in STREAMS:
        assert await stream_drift(operator, stream_config(stream, replicas=1)) == {}
    assert {(await operator.stream_info(stream)).state.messages for stream in OWN.values()} == {1}
    assert (await operator.consumer_info(TICKETS, "orders-tickets")).name == "orders-tickets"
