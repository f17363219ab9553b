"""One marketplace for all races of a module: starting it takes longer than any of them."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ticketing_system.in_process import InProcessMarket, Servers
from ticketing_testkit.apps import Identity
from ticketing_testkit.servers import NatsServer, RedisServer, StripeDouble, running_together


def pytest_itemcollected(item: pytest.Item) -> None:
    """Stripe's library hands httpx the body in the old way (stripe 16.1, httpx 0.28); it still works."""
    item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"))


@pytest.fixture(scope="module")
def servers(mongo_url: str, identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A bus, a Redis and a Stripe double of this module's own: an audit sees all that is in them."""
    folder = tmp_path_factory.mktemp("market")
    nats, redis, stripe = NatsServer(folder / "nats"), RedisServer(folder / "redis"), StripeDouble(folder / "stripe")
    with running_together(nats, redis, stripe):
        yield Servers(mongo_url, nats.url, redis.url, stripe.url, identity)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def market(servers: Servers) -> AsyncIterator[InProcessMarket]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with InProcessMarket.open(servers, monkeypatch) as opened:
            yield opened
