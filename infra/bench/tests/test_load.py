"""A small run, so that the benchmark keeps working; the speed of this machine is not checked."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ticketing_bench.load.run import PARTS, run
from ticketing_bench.load.sizes import QUICK
from ticketing_bench.load.sustained import highest_kept
from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Finding
from ticketing_bench.report import Report

TINY = replace(
    QUICK,
    buyers=20,
    burst_tickets=(5, 200),
    rates=(2,),
    step_seconds=2,
    buys=8,
    buys_at_once=4,
    catalogues=(1_000, 1_200),
    asked=5,
    expiring=20,
    lead_seconds=10,
    spread_seconds=1,
)


@pytest.mark.flow
async def test_a_small_run_measures_every_part_and_loses_nothing() -> None:
    report = await run(PARTS, TINY, quick=True, say=lambda _line: None)

    assert {finding.part for finding in report.findings} == set(PARTS)
    values = {finding.name: finding.spread.median for finding in report.findings}
    assert min(value for name, value in values.items() if "losers" not in name) > 0
    assert values["holds with everything kept up"] == 2
    assert all(set(finding.cpu) >= {"generator", "orders", "mongod"} for finding in report.findings if finding.cpu)


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


@pytest.mark.unit
@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        ({}, None),
        ({"at_least": 2}, True),
        ({"at_least": 2.1}, False),
        ({"below": 2}, False),
        ({"below": 2.1}, True),
    ],
)
def test_the_median_decides_whether_a_budget_is_met(bounds: dict[str, float], kept: bool | None) -> None:
    found = Finding(part="burst", name="holds", unit="1/s", rounds=(1, 2, 9), **bounds)
    assert found.kept is kept
    report = _report(found)
    assert report.kept is (kept is not False)


@pytest.mark.unit
def test_parts_that_were_not_measured_again_stay_in_the_file(tmp_path: Path) -> None:
    burst, growth = (Finding(part=part, name="x", unit="s", rounds=(1,)) for part in ("burst", "growth"))
    _report(burst, growth).write(tmp_path)
    (written,) = _report(burst.model_copy(update={"rounds": (2,)})).write(tmp_path)

    again = Report.model_validate_json(written.read_text())
    assert {finding.part: finding.rounds for finding in again.findings} == {"growth": (1,), "burst": (2,)}


def _report(*findings: Finding) -> Report:
    return Report(name="load", at=datetime.now(UTC), quick=True, machine=_MACHINE, findings=findings)


_MACHINE = Machine(
    processor="one", cores=1, memory_gb=1, system="Linux", python="3.11", versions={"mongod": "6"}, load_before=0
)
