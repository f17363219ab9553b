"""One running service for each module."""

from collections.abc import AsyncIterator
from secrets import token_hex

import httpx
import pytest
import pytest_asyncio

from ticketing_common.events import OrderData
from ticketing_common.storage import connect
from ticketing_payments.app import create_app
from ticketing_payments.settings import Settings
from ticketing_testkit.apps import Bus, Identity, run_app, service_settings_for
from ticketing_testkit.servers import NatsServer, StripeDouble

from ..scenario import make_order
from .api import PaymentsApi


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def api(
    mongo_url: str,
    stripe_double: StripeDouble,
    stripe_key: str,
    webhook_secret: str,
    identity: Identity,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[PaymentsApi]:
    """One running service for all tests here, with the Stripe double itself, as `make up` runs it."""
    database = f"test_{token_hex(6)}"
    nats_server = NatsServer(tmp_path_factory.mktemp("nats"))
    try:
        nats_server.start()
        fields = service_settings_for(
            mongo_url=mongo_url, database=database, nats_url=nats_server.url, identity=identity
        )
        settings = Settings.model_validate(
            fields
            | {
                "stripe_key": stripe_key,
                "stripe_webhook_secret": webhook_secret,
                "stripe_api_base": stripe_double.url,
                "stripe_parameter_profile": "localstripe",
            }
        )
        app = create_app(settings)
        headers = {"Authorization": f"Bearer {stripe_key}"}
        async with (
            httpx.AsyncClient(base_url=stripe_double.url, headers=headers) as bank,
            Bus.connect(nats_server.url) as bus,
            run_app(app) as client,
        ):
            yield PaymentsApi(app, client, identity, bus, bank)
    finally:
        nats_server.stop()
        mongo = connect(mongo_url, application="payments-tests")
        await mongo.drop_database(database)
        mongo.close()


@pytest_asyncio.fixture(loop_scope="module")
async def order(api: PaymentsApi) -> OrderData:
    """An order that is in the service's projection."""
    order = make_order()
    await api.service.follow_order(order)
    return order
