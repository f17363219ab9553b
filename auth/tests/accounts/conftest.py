"""Fixtures: the auth service without limits per address, the mails that it requests, and a clock for codes."""

from collections.abc import AsyncIterator

import pytest

from ..conftest import RunAuth, RunningAuth
from .account_calls import Post
from .factor_calls import Clock


@pytest.fixture
async def auth(run_auth: RunAuth) -> AsyncIterator[RunningAuth]:
    """The running service. One address makes all requests of a test, so its limits are off."""
    async with run_auth(rate_limit_signin="off", rate_limit_mails="off") as running:
        yield running


@pytest.fixture
def post(auth: RunningAuth) -> Post:
    return Post(auth)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
