"""The same questions on a small and on a large catalogue."""

from collections.abc import Iterable
from typing import Any, Final

from ticketing_bench.measurement import Finding
from ticketing_bench.seed_data import SEATS
from ticketing_bench.wire import http_request

from .market import LoadedMarket, UnsettledError, hold

HALLS: Final = 1_000 // SEATS
"""Whose tickets are there from the beginning, and stay as many."""


async def measure_growth(market: LoadedMarket) -> list[Finding]:
    """How much longer browsing, searching and holding take than with the smallest catalogue, by the medians."""
    ((_, token),) = await market.sign_in(1)
    medians: dict[str, dict[int, float]] = {}
    there = 0
    for size in market.sizes.catalogues:
        tickets = await market.seed_tickets(size - there, offset=there)
        there = size
        for name, (service, requests) in _questions(market.sizes.asked, tickets, token).items():
            answer: dict[str, Any] = {}
            for _ in range(2):  # the first warms the database's cache; holds differ each time
                half = len(requests) // 2
                chosen, requests = requests[:half], requests[half:] + requests[:half]
                answer = await market.ask("one_by_one", port=market.port(service), requests=chosen)
            if set(answer["statuses"]) - {200, 201}:
                raise UnsettledError(f"{name} was answered {answer['statuses']}")
            medians.setdefault(name, {})[size] = answer["p50"]
            market.say(f"{size:,} tickets, {name}: p50 {answer['p50']:.2f} ms, p99 {answer['p99']:.2f} ms")
    smallest = market.sizes.catalogues[0]
    return [
        Finding(
            part="growth",
            name=f"{name}, {size:,} tickets to {smallest:,}",
            unit="times",
            rounds=(of[size] / of[smallest],),
            below=1.5,
            note=f"p50 {of[smallest]:.2f} ms and {of[size]:.2f} ms",
        )
        for name, of in medians.items()
        for size in market.sizes.catalogues[1:]
    ]


def _questions(count: int, tickets: list[str], token: str) -> dict[str, tuple[str, list[str]]]:
    """Twice as many of each as are timed, no two alike: nothing is answered from memory."""
    numbers = range(2 * count)
    return {
        "browse": ("tickets", _reads(f"?minPrice={10 + n / 100:.2f}" for n in numbers)),
        "search, a rare word": ("tickets", _reads(f"?q=hall{n % HALLS:06}&limit={20 + n // HALLS}" for n in numbers)),
        "search, a common word": ("tickets", _reads(f"?q=opening&minPrice={10 + n / 100:.2f}" for n in numbers)),
        "one ticket": ("tickets", _reads(f"/{tickets[n]}" for n in numbers)),
        "hold": ("orders", [hold(token, tickets[-1 - n]) for n in numbers]),
    }


def _reads(questions: Iterable[str]) -> list[str]:
    return [http_request("GET", f"/api/tickets{question}") for question in questions]
