import pytest

from ticketing_system.chaos.schedule import KILLED, plan_faults

pytestmark = pytest.mark.unit


def test_the_same_seed_is_the_same_plan() -> None:
    assert plan_faults(7, 180) == plan_faults(7, 180)
    assert plan_faults(7, 180) != plan_faults(8, 180)


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_is_over_in_time_and_none_hits_what_is_down_already(seed: int) -> None:
    over: dict[str, float] = {}
    for fault in plan_faults(seed, 60):
        assert fault.over <= 60
        assert fault.at > over.get(fault.target, 0.0)
        over[fault.target] = fault.over


@pytest.mark.parametrize("seed", range(20))
def test_a_minute_kills_every_process(seed: int) -> None:
    assert {fault.target for fault in plan_faults(seed, 60) if fault.kind == "kill"} == set(KILLED)
