"""What browsing costs, against the same bytes and the same read; and what recording traces adds to it."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from ticketing_bench.measurement import Finding, InvalidRunError
from ticketing_bench.wire import http_request
from ticketing_common.entity import new_id
from ticketing_testkit.servers import ServerProcess, running_together

from .rounds import Bench

PAGE: Final = "/api/tickets?limit=20"
SPANS_SECONDS: Final = 15.0
SAMPLED: Final = "0.05"


def measure_reading(bench: Bench, ids: Sequence[str]) -> list[Finding]:
    """The list from memory, one ticket, and then with traces; `ids` are the catalogue's."""
    deployment = bench.deployment
    service = deployment.service("tickets")
    with running_together(service):
        page = httpx.get(f"{service.url}{PAGE}").raise_for_status().content
        baseline = deployment.baseline(page)
        with running_together(baseline):
            return [
                *_list(bench, service, baseline),
                *_one_ticket(bench, service, baseline, ids),
                *_traced(bench, service, baseline, ids),
            ]


def _asking(*paths: str) -> Callable[[], Sequence[str]]:
    requests = [http_request("GET", path) for path in paths]
    return lambda: requests


def _list(bench: Bench, service: ServerProcess, baseline: ServerProcess) -> list[Finding]:
    return bench.compare_costs(
        "GET /api/tickets",
        bench.asked("from memory", service, _asking(PAGE)),
        bench.asked("bare route, same bytes", baseline, _asking("/page")),
        at_least=0.6,
        note="The first page of the newest; the service answers it from memory and asks the database once a second",
    )


def _one_ticket(bench: Bench, service: ServerProcess, baseline: ServerProcess, ids: Sequence[str]) -> list[Finding]:
    bare = bench.asked("bare route, Motor's find_one", baseline, _asking(*(f"/tickets/{one}" for one in ids)))
    return bench.compare_costs(
        "GET /api/tickets/{id}",
        bench.asked("the service", service, _asking(*(f"/api/tickets/{one}" for one in ids))),
        bare,
        at_least=0.7,
        note="Every ticket of the catalogue in turn, from the same collection",
    )


def _traced(bench: Bench, service: ServerProcess, baseline: ServerProcess, ids: Sequence[str]) -> list[Finding]:
    """Two replicas of one service; one records a twentieth of its traces and sends them to a collector."""
    traced = bench.deployment.service(
        "tickets",
        called="tickets-traced",
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=baseline.url,
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG=SAMPLED,
    )
    token = bench.deployment.token(new_id())
    ticket = {"title": "Opening night: the long way round", "price": 25.5, "venue": "The old theatre"}
    get = _asking(*(f"/api/tickets/{one}" for one in ids))
    post = http_request("POST", "/api/tickets", token=token, body=ticket)
    note = f"{SAMPLED} of the traces are recorded and sent to a collector that drops them"
    with running_together(traced):
        found = [
            *bench.compare_costs(
                "traced GET /api/tickets/{id}",
                bench.asked("5 % recorded", traced, get),
                bench.asked("off", service, get),
                at_least=0.9,
                note=note,
            ),
            *bench.compare_costs(
                "traced POST /api/tickets",
                bench.asked("5 % recorded", traced, lambda: [post], expected=201),
                bench.asked("off", service, lambda: [post], expected=201),
                at_least=0.9,
                note=note,
            ),
        ]
        _expect_spans(baseline)
    return found


def _expect_spans(collector: ServerProcess) -> None:
    """Raise `InvalidRunError` when nothing was recorded: then nothing was measured either."""
    deadline = time.monotonic() + SPANS_SECONDS
    while httpx.get(f"{collector.url}/spans").raise_for_status().json() == 0:
        if time.monotonic() > deadline:
            raise InvalidRunError("no span has come to the collector")
        time.sleep(0.1)
