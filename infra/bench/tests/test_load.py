"""A small run, so that the benchmark keeps working; the speed of this machine is not checked."""

from dataclasses import replace

import pytest

from ticketing_bench.load.run import PARTS, run
from ticketing_bench.load.sizes import QUICK
from ticketing_bench.load.sustained import highest_kept

TINY = replace(
    QUICK,
    buyers=20,
    burst_tickets=(5, 200),
    rates=(2,),
    step_seconds=2,
    buys=8,
    buys_at_once=(4, 8),
    sellers=8,
    catalogues=(1_000, 1_200),
    asked=5,
    expiring=20,
    lead_seconds=10,
    spread_seconds=1,
)


@pytest.mark.flow
async def test_a_small_run_measures_every_part_and_loses_nothing() -> None:
    findings = await run(PARTS, TINY, lambda _line: None)

    assert {finding.part for finding in findings} == set(PARTS)
    values = {finding.name: finding.spread.median for finding in findings}
    assert min(value for name, value in values.items() if "losers" not in name) > 0
    assert values["holds with everything kept up"] == 2
    assert all(set(finding.cpu) >= {"generator", "orders", "mongod"} for finding in findings if finding.cpu)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("steps", "highest"),
    [
        ({}, 0),
        ({10: False}, 0),
        ({10: True, 20: True}, 20),
        ({20: True, 10: True, 30: False, 40: True}, 20),
    ],
)
def test_a_rate_counts_only_when_all_lower_rates_were_sustained(steps: dict[float, bool], highest: float) -> None:
    assert highest_kept(steps) == highest
