"""The cost of hostile input on every route of this service."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from ticketing_payments.app import create_app
from ticketing_testkit.apps import Bus, Identity, run_app
from ticketing_testkit.hostile import attempts, findings, fingerprint
from ticketing_testkit.servers import StripeDouble

from .scenario import MakeSettings, make_order


@pytest.fixture
async def app(
    make_settings: MakeSettings, nats_url: str, bus: Bus, stripe_double: StripeDouble
) -> AsyncIterator[FastAPI]:
    app = create_app(make_settings(nats_url=nats_url, stripe_api_base=stripe_double.url))
    async with run_app(app):
        yield app


async def test_hostile_input_is_refused_cheaply_and_changes_nothing(app: FastAPI, identity: Identity) -> None:
    await app.state.service.follow_order(make_order())
    before = await fingerprint(app.state.runtime.database)

    assert [finding async for finding in findings(app, identity.token())] == []
    assert await fingerprint(app.state.runtime.database) == before


async def test_every_route_and_place_of_input_is_tried(app: FastAPI, identity: Identity) -> None:
    tried = {(attempt.operation, attempt.place) for attempt in attempts(app, identity.token())}

    assert {"create_payment", "show_payment", "refresh_payment", "receive_webhook"} == {name for name, _ in tried}
    assert {("create_payment", "field paymentMethodId"), ("receive_webhook", "header stripe-signature")} <= tried
