"""A marketplace in real databases, on a real bus and at the Stripe double."""

from collections.abc import AsyncIterator, Iterator
from secrets import token_hex
from typing import Any

import nats
import pytest
from pymongo import MongoClient

from ticketing_common.messaging import ensure_consumer, ensure_stream, stream_config
from ticketing_common.topology import DURABLES, SAFETY_NETS, SERVICES, STREAM_SUBJECTS
from ticketing_ops.audit import AuditAddresses, examination
from ticketing_testkit.servers import StripeDouble, drop_databases, running

from .marketplace import Marketplace, consumer


@pytest.fixture(scope="module")
def own_stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeDouble]:
    """A separate double: at the session's an audit finds what other tests have left."""
    with running(StripeDouble(tmp_path_factory.mktemp("stripe"))) as server:
        yield server


@pytest.fixture
async def marketplace(
    mongo_url: str, nats_url: str, own_stripe: StripeDouble, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Marketplace]:
    """A separate marketplace, which only the test changes: an audit need not wait before it reads again."""
    monkeypatch.setattr(examination, "PAUSE_SECONDS", 0.0)
    client = await nats.connect(nats_url)
    for stream in (*STREAM_SUBJECTS, *SAFETY_NETS):
        await ensure_stream(client.jetstream(), stream_config(stream, replicas=1))
    for stream, durable in DURABLES:
        await ensure_consumer(client.jetstream(), stream, consumer(durable, stream))
    await client.close()
    mark = token_hex(6)
    mongo: MongoClient[dict[str, Any]] = MongoClient(mongo_url, tz_aware=True)
    addresses = AuditAddresses(
        mongo_urls=dict.fromkeys(SERVICES, mongo_url),
        databases={service: f"audit_{mark}_{service}" for service in SERVICES},
        nats_url=nats_url,
        stripe_url=own_stripe.url,
        stripe_key="sk_test_audit",
    )
    made = Marketplace(addresses, mongo)
    yield made
    made.close()
    mongo.close()
    drop_databases(mongo_url, *addresses.databases.values())
