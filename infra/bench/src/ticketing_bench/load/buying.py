"""From a hold to a captured payment, with the Stripe double in the loop."""

from ticketing_bench.measurement import Answer, Finding

from .market import LoadedMarket
from .operations import buy, by_process


async def measure_buying(market: LoadedMarket) -> list[Finding]:
    """Tickets sold per second, and the CPU time of one sale, by the number of buyers at once.

    More buyers at once cost less each, because their operations share commands (decision 0010).
    """
    findings = []
    for at_once in market.sizes.buys_at_once:
        answers: list[Answer] = []
        for _ in range(market.sizes.rounds):
            answers.append(await buy(market, [market.port("orders")], at_once=at_once))
            market.say(
                f"{at_once} buyers at once: {answers[-1]['rate']:.1f}/s, {answers[-1]['cpu_ms']:.0f} ms CPU each"
            )
        about = f"hold, pay, captured, {at_once} buyers at once"
        findings += [
            Finding(
                part="buying",
                name=about,
                unit="1/s",
                rounds=tuple(one["rate"] for one in answers),
                cpu=answers[-1]["cpu"],
                at_least=40,
            ),
            Finding(
                part="buying",
                name=f"{about}: CPU time each",
                unit="ms",
                rounds=tuple(one["cpu_ms"] for one in answers),
                note=f"by process: {by_process(answers)}",
            ),
        ]
    await market.check()
    return findings
