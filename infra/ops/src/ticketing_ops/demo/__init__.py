"""The demo over plain HTTP: sales, passes, money back, an account and an expired hold, checked step by step."""

from collections.abc import Mapping

import httpx

from ticketing_ops.api import Api

from .accounts import leave
from .money_back import call_off
from .scenario import Scenario, ScenarioError
from .selling import let_expire, sell_one, share_listing

__all__ = ["ScenarioError", "play"]


def play(addresses: Mapping[str, str], reservation_window_seconds: int) -> int:
    """Run all steps and return their number. Raises `ScenarioError` at the first that differs."""
    with httpx.Client(timeout=20) as http:
        scenario = Scenario(Api(http, addresses), addresses.get("inbox"))
        sell_one(scenario)
        share_listing(scenario)
        call_off(scenario)
        leave(scenario)
        let_expire(scenario, reservation_window_seconds)
        return scenario.steps
