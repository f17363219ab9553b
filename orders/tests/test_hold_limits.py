import re

import pytest
from starlette.requests import Request

from ticketing_common.entity import new_id
from ticketing_common.errors import TooManyRequestsError
from ticketing_common.web import CallerLimits
from ticketing_common.web.rate_limit import rate_limit_headers
from ticketing_orders.dependencies import hold_limits
from ticketing_orders.settings import Settings

pytestmark = pytest.mark.unit


def limits(**rates: str) -> CallerLimits:
    needed = {
        "mongo_url": "mongodb://nowhere",
        "nats_url": "nats://nowhere",
        "jwt_public_keys": [],
        "pass_key": "unused",
    }
    return hold_limits(Settings.model_validate(needed | rates))


async def hold(limits: CallerLimits, address: str) -> dict[str, int]:
    """Try as a new user; returns the remaining attempts by limit."""
    request = Request({"type": "http", "client": (address, 1)})
    await limits.check(request, new_id())
    left = dict(rate_limit_headers(request.scope))[b"ratelimit"].decode()
    return {name: int(remaining) for name, remaining in re.findall(r'"([\w-]+)";r=(\d+)', left)}


async def test_one_address_with_many_accounts_is_slowed_down() -> None:
    strict = limits(rate_limit_holds_address="3/minute")
    assert [(await hold(strict, "192.0.2.1"))["holds-address"] for _ in range(3)] == [2, 1, 0]
    with pytest.raises(TooManyRequestsError) as refused:
        await hold(strict, "192.0.2.1")
    assert refused.value.security_fields == {"limit": "holds-address"}
    assert (await hold(strict, "192.0.2.2"))["holds-address"] == 2


async def test_a_response_names_both_limits() -> None:
    both = limits(rate_limit_holds="2/minute", rate_limit_holds_address="9/minute")
    assert await hold(both, "192.0.2.1") == {"holds-address": 8, "holds": 1}
