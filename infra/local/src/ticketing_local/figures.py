"""What the services say of themselves, from two looks at their metrics: rates, slowness, and what waits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Look", "ServiceFigures", "circuits", "figures_of", "highest", "total", "worst"]

HTTP: Final = "http_request_duration_seconds"
PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""They say nothing about what people wait for, and streams neither: those last as long as a page is open."""


@dataclass(frozen=True)
class Look:
    """One reading of `/metrics`, at a moment of the monotonic clock (seconds)."""

    at: float
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def read(cls, text: str, *, at: float) -> "Look":
        """From Prometheus' text format."""
        families = text_string_to_metric_families(text)
        return cls(at, {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples})

    def named(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """All series of one name, with their labels."""
        for (found, labels), value in self.samples.items():
            if found == name:
                yield dict(labels), value


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """Of one process; per second, in seconds. `p99` is None when nothing was asked, inf beyond the last bucket."""

    requests: float
    errors: float
    p99: float | None
    in_flight: float
    loop_lag: float
    outbox: float
    outbox_oldest: float
    shed: float


def total(look: Look, name: str) -> float:
    """Over all series."""
    return sum(value for _, value in look.named(name))


def highest(look: Look, name: str) -> float:
    """Over all series; 0 when there is none."""
    return max((value for _, value in look.named(name)), default=0.0)


def worst(look: Look, name: str, label: str) -> tuple[float, str]:
    """The highest of all series, and which it is."""
    return max(((value, labels[label]) for labels, value in look.named(name)), default=(0.0, ""))


def circuits(look: Look) -> dict[str, float]:
    """Each breaker and its state: 0 closed, 0.5 half open, 1 open."""
    return {labels["circuit"]: value for labels, value in look.named("circuit_state")}


def figures_of(before: Look, now: Look) -> ServiceFigures:
    """What happened between two looks. A process that began anew in between counts from zero."""
    seconds = max(now.at - before.at, 1e-3)
    answered, failed = 0.0, 0.0
    for labels, value in now.named(f"{HTTP}_count"):
        if not _of_interest(labels):
            continue
        change = _since(before, f"{HTTP}_count", labels, value)
        answered += change
        failed += change if labels["status"].startswith("5") else 0.0
    return ServiceFigures(
        requests=answered / seconds,
        errors=failed / seconds,
        p99=_p99(before, now),
        in_flight=total(now, "requests_in_flight"),
        loop_lag=highest(now, "event_loop_lag_seconds"),
        outbox=total(now, "outbox_pending"),
        outbox_oldest=highest(now, "outbox_oldest_seconds"),
        shed=max(0.0, total(now, "requests_shed_total") - total(before, "requests_shed_total")) / seconds,
    )


def _of_interest(labels: Mapping[str, str]) -> bool:
    return labels["route"] not in PROBES and not labels["route"].endswith("/stream")


def _since(before: Look, name: str, labels: Mapping[str, str], value: float) -> float:
    earlier = before.samples.get((name, frozenset(labels.items())), 0.0)
    return value - earlier if value >= earlier else value


def _p99(before: Look, now: Look) -> float | None:
    """The upper bound of the bucket in which the 99th of a hundred lies."""
    by_bound: dict[float, float] = {}
    for labels, value in now.named(f"{HTTP}_bucket"):
        if _of_interest(labels):
            bound = float(labels["le"])
            by_bound[bound] = by_bound.get(bound, 0.0) + _since(before, f"{HTTP}_bucket", labels, value)
    count = by_bound.get(float("inf"), 0.0)
    if not count:
        return None
    return min(bound for bound, below in by_bound.items() if below >= 0.99 * count)
