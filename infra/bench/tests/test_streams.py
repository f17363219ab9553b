"""A small run, so that the benchmark keeps working; the speed of this machine is not checked."""

import pytest

from ticketing_bench.measurement import InvalidRunError
from ticketing_bench.streams.run import Sizes, _one, run


def test_a_small_run_delivers_every_event_to_every_browser() -> None:
    printed: list[str] = []

    findings = run(Sizes(rounds=2, browsers=20, seconds=0.4, per_second=10.0), printed.append)

    assert [one.name for one in findings] == ["commit to browser, p50", "commit to browser, p99"]
    for one in findings:
        assert len(one.rounds) == 2
        assert min(one.rounds) > 0
        assert one.cpu.keys() >= {"service", "clients", "mongod", "nats-server"}
    assert len(printed) == 2


class _Created:
    """A worker that has answered already."""

    def __init__(self, **answers: object) -> None:
        self._answers = answers

    def ask(self, order: str, **_values: object) -> object:
        return self._answers.get(order, {})

    def begin(self, order: str, **_values: object) -> None:
        self._begun = order

    def answer(self) -> object:
        return self._answers[self._begun]


@pytest.mark.unit
@pytest.mark.parametrize(
    "arrivals",
    [{"a": [1.0, 2.0], "b": [1.0]}, {"a": [1.0, 2.0]}, {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}],
    ids=["too few", "none of one", "one twice"],
)
def test_a_round_with_a_missing_or_duplicate_delivery_is_refused(arrivals: dict[str, list[float]]) -> None:
    worker = _Created(create={"due": {"a": 0.5, "b": 0.5}, "cpu": {}})
    clients = _Created(collect={"arrivals": arrivals, "cpu": {}})

    with pytest.raises(InvalidRunError, match="2 tickets to 2 browsers"):
        _one(worker, clients, Sizes(rounds=1, browsers=2, seconds=1.0, per_second=2.0))  # type: ignore[arg-type]
