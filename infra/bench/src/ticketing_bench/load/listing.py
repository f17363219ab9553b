"""New and changed listings of many sellers at once."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from ticketing_bench.measurement import Answer, Finding
from ticketing_bench.seed_data import insert_tickets
from ticketing_bench.wire import http_request

from .market import LoadedMarket
from .operations import ask_each, by_process

BODY: Final = {"title": "A seat in the front row", "price": 25.5, "venue": "Town hall", "quantity": 2}


async def measure_listing(market: LoadedMarket) -> list[Finding]:
    """Each seller creates or changes one listing; the rate, and the CPU time until orders has it."""
    findings = []
    for name, (requests_of, expected) in _OPERATIONS.items():
        answers: list[Answer] = []
        for _ in range(market.sizes.rounds):
            requests = await requests_of(market)
            port = market.port("tickets")
            answers.append(
                await ask_each(market, [port], requests, expected=expected, at_once=market.sizes.sellers_at_once)
            )
            market.say(f"{name}: {answers[-1]['rate']:.0f}/s, {answers[-1]['cpu_ms']:.2f} ms CPU each")
        findings.append(
            Finding(
                part="listing",
                name=f"{name}, {market.sizes.sellers_at_once} sellers at once",
                unit="1/s",
                rounds=tuple(one["rate"] for one in answers),
                cpu=answers[-1]["cpu"],
                at_least=300,
                note=f"CPU milliseconds each, by process: {by_process(answers)}",
            )
        )
    await market.check()
    return findings


async def _creations(market: LoadedMarket) -> list[str]:
    people = await market.sign_in(market.sizes.sellers)
    return [http_request("POST", "/api/tickets", token=token, body=BODY) for _, token in people]


async def _changes(market: LoadedMarket) -> list[str]:
    people, own = await market.sign_in(market.sizes.sellers), market.collection("tickets", "tickets")
    requests = []
    for number, (person, token) in enumerate(people):
        (ticket,) = await insert_tickets(own, person, range(number, number + 1), quantity=2)
        requests.append(http_request("PUT", f"/api/tickets/{ticket.id}", token=token, body=BODY))
    return requests


_OPERATIONS: Final[Mapping[str, tuple[Callable[[LoadedMarket], Awaitable[list[str]]], int]]] = {
    "POST /api/tickets": (_creations, 201),
    "PUT /api/tickets/{id}": (_changes, 200),
}
