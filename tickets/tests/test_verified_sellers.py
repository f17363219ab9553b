"""REQUIRE_VERIFIED_SELLERS: who may put a ticket on sale."""

from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_testkit.apps import Bus, Identity, run_app
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings


@pytest.mark.parametrize(
    ("required", "claim", "status"),
    [(False, None, 201), (False, False, 201), (True, True, 201), (True, False, 403), (True, None, 403)],
)
async def test_a_listing_needs_a_confirmed_email_where_it_is_required(
    service_settings: dict[str, Any],
    bus: Bus,
    identity: Identity,
    required: bool,
    claim: bool | None,
    status: int,
) -> None:
    settings = Settings.model_validate(service_settings | {"require_verified_sellers": required})
    seller = identity.headers(new_id(), email_verified=claim)
    async with run_app(create_app(settings)) as api:
        answer = await api.post("/api/tickets", json={"title": "Seat 7", "price": 19.99}, headers=seller)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["title"] == "Confirm your e-mail first"
            assert (await api.get("/api/tickets/mine", headers=seller)).json() == []
        anonymous = await api.post("/api/tickets", json={"title": "Seat 7", "price": 19.99})
        assert anonymous.status_code == 401
