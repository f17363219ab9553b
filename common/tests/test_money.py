"""Currencies and their smallest charges."""

import pytest
from pydantic import TypeAdapter, ValidationError

from ticketing_common.money import MAX_PRICE_CENTS, SMALLEST_CHARGE_CENTS, Currency, decimal_text

pytestmark = pytest.mark.unit

CURRENCY: TypeAdapter[str] = TypeAdapter(Currency)
WITHOUT_TWO_DECIMALS = ("bif", "clp", "jpy", "krw", "vnd", "xof", "bhd", "jod", "kwd", "omr", "tnd", "isk", "ugx")


@pytest.mark.parametrize("code", [*WITHOUT_TWO_DECIMALS, "USD", "us", "usd ", "", "xxx"])
def test_only_currencies_with_two_decimals_and_a_known_minimum_are_taken(code: str) -> None:
    with pytest.raises(ValidationError):
        CURRENCY.validate_python(code)


def test_every_minimum_is_a_price() -> None:
    assert SMALLEST_CHARGE_CENTS["usd"] == 50
    assert all(0 < cents < MAX_PRICE_CENTS for cents in SMALLEST_CHARGE_CENTS.values())


def test_cents_are_read_as_decimals() -> None:
    assert [decimal_text(cents) for cents in (5, 50, 17_500, MAX_PRICE_CENTS)] == [
        "0.05",
        "0.50",
        "175.00",
        "1,000,000.00",
    ]
