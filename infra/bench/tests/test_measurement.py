import pytest

from ticketing_bench.measurement import Finding, Spread, in_turns, median_cpu, percentile

pytestmark = pytest.mark.unit


def found(*rounds: float, baseline: tuple[float, ...] = (), budget: dict[str, float] | None = None) -> Finding:
    return Finding(part="relay", name="relay", unit="events/s", rounds=rounds, baseline=baseline, **(budget or {}))


@pytest.mark.parametrize(
    ("part", "expected"),
    [(0.0, 1), (0.01, 1), (0.5, 50), (0.51, 51), (0.99, 99), (0.991, 100), (1.0, 100)],
)
def test_a_percentile_is_a_value_that_was_measured(part: float, expected: float) -> None:
    shuffled = [float((number * 37) % 100 + 1) for number in range(100)]  # 1 to 100, each once

    assert percentile(shuffled, part) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_every_side_is_first_in_some_round() -> None:
    assert in_turns(["a", "b"], 3) == ["a", "b", "b", "a", "a", "b"]


def test_the_spread_is_the_middle_and_both_ends() -> None:
    assert Spread.of([9.0, 1.0, 2.0]) == Spread(median=2.0, low=1.0, high=9.0)


def test_the_ratio_is_taken_round_by_round() -> None:
    # The machine was slow in the second round, for both; the ratio of the medians would say 0.5.
    one = found(60.0, 6.0, 50.0, baseline=(100.0, 10.0, 200.0))

    assert one.ratio == Spread(median=0.6, low=0.25, high=0.6)


def test_rounds_that_have_no_partner_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        _ = found(1.0, 2.0, baseline=(1.0,)).ratio


@pytest.mark.parametrize(("subject", "kept"), [(49.0, False), (50.0, True), (51.0, True)])
def test_a_ratio_is_kept_from_its_bound_on(subject: float, kept: bool) -> None:
    assert found(subject, baseline=(100.0,), budget={"at_least": 0.5}).kept is kept


@pytest.mark.parametrize(("subject", "kept"), [(199.0, True), (200.0, True), (201.0, False)])
def test_a_multiple_is_kept_up_to_its_bound(subject: float, kept: bool) -> None:
    assert found(subject, baseline=(100.0,), budget={"at_most": 2}).kept is kept


@pytest.mark.parametrize(
    ("budget", "kept"),
    [
        ({}, None),
        ({"at_least": 2}, True),
        ({"at_least": 2.1}, False),
        ({"below": 2}, False),
        ({"below": 2.1}, True),
    ],
)
def test_without_a_baseline_the_median_decides(budget: dict[str, float], kept: bool | None) -> None:
    assert found(1, 2, 9, budget=budget).kept is kept


def test_processor_time_is_the_median_of_the_rounds_by_process() -> None:
    rounds = [{"cpu": {"relay": 0.9}}, {"cpu": {"relay": 0.1, "mongod": 0.3}}, {"cpu": {"relay": 0.5}}]

    assert median_cpu(rounds) == {"relay": 0.5, "mongod": 0.0}


def test_a_finding_can_be_read_back_from_its_json() -> None:
    one = found(60.0, 6.0, baseline=(100.0, 10.0), budget={"at_least": 0.5})

    assert '"ratio":{"median":0.6' in one.model_dump_json()
    assert Finding.model_validate_json(one.model_dump_json()) == one
