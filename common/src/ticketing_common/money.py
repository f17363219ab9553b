"""The currencies that tickets can be priced in, and the smallest and the largest price. Money is in integer cents."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator

MAX_PRICE_CENTS: Final = 100_000_000

MAX_CHARGE_CENTS: Final = 99_999_999
"""The most that Stripe charges at once: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts."""

SMALLEST_CHARGE_CENTS: Final[Mapping[str, int]] = {
    "aed": 200,
    "aud": 50,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 15_00,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 175_00,
    "inr": 50,
    "mxn": 10_00,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 10_00,
    "usd": 50,
}
"""The smallest amount that Stripe charges, by currency: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts.

Only currencies with two decimals are here. A currency without decimals (jpy) or with three (kwd) has another meaning of
"cents", and a currency that is missing from Stripe's table has no known minimum.
"""


def _known(code: str) -> str:
    if code not in SMALLEST_CHARGE_CENTS:
        raise ValueError(f"not a currency with two decimals and a known smallest charge: {code!r}")
    return code


Currency: TypeAlias = Annotated[str, AfterValidator(_known)]
"""An ISO 4217 code in lower case, as Stripe writes it; a setting with another value stops the start."""


def decimal_text(cents: int) -> str:
    """Cents as text: 100000000 is `1,000,000.00`."""
    return f"{cents // 100:,}.{cents % 100:02}"
