import pytest
from starlette.requests import Request

from ticketing_common.entity import new_id
from ticketing_common.errors import TooManyRequestsError
from ticketing_orders.dependencies import HoldLimits
from ticketing_orders.settings import Settings

pytestmark = pytest.mark.unit


def limits(**rates: str) -> HoldLimits:
    needed = {"mongo_url": "mongodb://nowhere", "nats_url": "nats://nowhere", "jwt_public_keys": []}
    return HoldLimits(Settings.model_validate(needed | rates))


async def hold(limits: HoldLimits, address: str) -> str:
    """As somebody new; how many tries are left."""
    request = Request({"type": "http"})
    await limits.check(request, user_id=new_id(), address=address)
    return str(request.state.rate_limit["RateLimit-Remaining"])


async def test_one_address_with_many_accounts_is_slowed_down():
    strict = limits(rate_limit_holds_address="3/minute")
    assert [await hold(strict, "192.0.2.1") for _ in range(3)] == ["2", "1", "0"]
    with pytest.raises(TooManyRequestsError):
        await hold(strict, "192.0.2.1")
    assert await hold(strict, "192.0.2.2") == "2"


async def test_the_nearer_of_two_limits_is_told():
    assert await hold(limits(rate_limit_holds="2/minute", rate_limit_holds_address="9/minute"), "192.0.2.1") == "1"
