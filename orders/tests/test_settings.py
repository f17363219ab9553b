from typing import Any

import pytest
from pydantic import ValidationError

from ticketing_orders.settings import Settings

pytestmark = pytest.mark.unit

REQUIRED = {
    "mongo_url": "mongodb://localhost",
    "nats_url": "nats://localhost",
    "jwt_public_keys": ["pem"],
    "pass_key": "pem",
}


def test_a_hold_lasts_fifteen_minutes_unless_set() -> None:
    settings = Settings.model_validate(REQUIRED)
    assert (settings.reservation_window_seconds, settings.rate_limit_holds) == (900, "30/minute")
    assert settings.database_name == "orders"


def test_the_environment_sets_the_window_and_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESERVATION_WINDOW_SECONDS", "3")
    monkeypatch.setenv("RATE_LIMIT_HOLDS", "off")
    settings = Settings.model_validate(REQUIRED)
    assert (settings.reservation_window_seconds, settings.rate_limit_holds) == (3, "off")


@pytest.mark.parametrize(
    "wrong",
    [
        {"reservation_window_seconds": 0},
        {"reservation_window_seconds": -1},
        {"rate_limit_holds": "often"},
        {"rate_limit_open_holds": 0},
        {"rate_limit_open_holds": "many"},
    ],
)
def test_an_invalid_setting_stops_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(REQUIRED | wrong)


def test_the_limits_of_an_account_can_be_set_and_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate(REQUIRED)
    assert (settings.rate_limit_open_holds, settings.rate_limit_reholds) == (10, "4/6hours")
    monkeypatch.setenv("RATE_LIMIT_OPEN_HOLDS", "3")
    monkeypatch.setenv("RATE_LIMIT_REHOLDS", "off")
    settings = Settings.model_validate(REQUIRED)
    assert (settings.rate_limit_open_holds, settings.rate_limit_reholds) == (3, "off")
    monkeypatch.setenv("RATE_LIMIT_OPEN_HOLDS", "off")
    assert Settings.model_validate(REQUIRED).rate_limit_open_holds == "off"
