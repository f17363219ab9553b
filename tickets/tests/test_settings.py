import pytest
from pydantic import ValidationError

from ticketing_testkit.apps import Identity, service_settings_for
from ticketing_tickets.settings import Settings

pytestmark = pytest.mark.unit


def settings(**changes: object) -> Settings:
    fields = service_settings_for(mongo_url="mongodb://x", database="x", nats_url="nats://x", identity=Identity())
    return Settings.model_validate({**fields, **changes})


def test_the_default_currency_is_usd() -> None:
    assert settings().currency == "usd"
    assert settings(currency="eur").currency == "eur"


@pytest.mark.parametrize("currency", ["jpy", "kwd", "USD", "dollar", ""])
def test_a_currency_that_cannot_be_charged_in_cents_stops_the_start(currency: str) -> None:
    with pytest.raises(ValidationError, match="currency"):
        settings(currency=currency)
