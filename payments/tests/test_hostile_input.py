"""The cost of hostile input on every route of this service."""

import pytest

from ticketing_payments.app import create_app
from ticketing_testkit.apps import run_app
from ticketing_testkit.hostile import attempts, findings, fingerprint


@pytest.fixture
async def app(make_settings, nats_url, bus, stripe_double):
    app = create_app(make_settings(nats_url=nats_url, stripe_api_base=stripe_double.url))
    async with run_app(app):
        yield app


async def test_hostile_input_is_refused_cheaply_and_changes_nothing(app, make_order, identity):
    await app.state.service.follow_order(make_order())
    before = await fingerprint(app.state.runtime.database)

    assert [finding async for finding in findings(app, identity.token())] == []
    assert await fingerprint(app.state.runtime.database) == before


async def test_every_route_and_place_of_input_is_tried(app, identity):
    tried = {(attempt.operation, attempt.place) for attempt in attempts(app, identity.token())}

    assert {"create_payment", "show_payment", "refresh_payment", "receive_webhook"} == {name for name, _ in tried}
    assert {("create_payment", "field paymentMethodId"), ("receive_webhook", "header stripe-signature")} <= tried
