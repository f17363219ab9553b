import pytest

from ticketing_local.figures import Look, circuits, figures_of

pytestmark = pytest.mark.unit

SERIES = 'service="orders",method="GET",route="{route}",status="{status}"'


def look(at: float, **counts: tuple[int, int]) -> Look:
    """`counts` by route: how many were answered within 0.1 s, and how many took longer than 10 s."""
    lines = ["# TYPE http_request_duration_seconds histogram"]
    for name, (quick, slow) in counts.items():
        route, _, status = name.replace("__", "/").partition("_")
        labels = SERIES.format(route=route, status=status)
        lines += [
            f'http_request_duration_seconds_bucket{{{labels},le="0.1"}} {quick}',
            f'http_request_duration_seconds_bucket{{{labels},le="+Inf"}} {quick + slow}',
            f"http_request_duration_seconds_count{{{labels}}} {quick + slow}",
            f"http_request_duration_seconds_sum{{{labels}}} 1",
        ]
    return Look.read("\n".join(lines) + "\n", at=at)


def test_rates_are_what_was_added_between_two_looks():
    figures = figures_of(look(10, __orders_200=(100, 0)), look(12, __orders_200=(120, 0), __orders_503=(4, 0)))
    assert (figures.requests, figures.errors, figures.p99) == (12, 2, 0.1)


def test_one_slow_answer_in_fifty_is_the_p99():
    figures = figures_of(look(10), look(12, __orders_200=(49, 1)))
    assert figures.p99 == float("inf")


def test_probes_and_streams_are_left_out():
    figures = figures_of(look(10), look(12, __healthz_200=(9, 0), __stream_200=(0, 9)))
    assert (figures.requests, figures.p99) == (0, None)


def test_a_process_that_began_anew_counts_from_zero():
    figures = figures_of(look(10, __orders_200=(100, 0)), look(12, __orders_200=(6, 0)))
    assert figures.requests == 3


def test_circuits_are_named():
    assert circuits(Look.read('circuit_state{circuit="stripe"} 0.5\n', at=0)) == {"stripe": 0.5}
