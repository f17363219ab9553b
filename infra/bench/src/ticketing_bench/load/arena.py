"""One hot listing against as many listings as it has seats."""

from ticketing_bench.measurement import Finding

from .market import LoadedMarket, UnsettledError, hold


async def measure_arena(market: LoadedMarket) -> list[Finding]:
    """The ratio of committed holds per second, measured in turn on the same stack.

    Raises `UnsettledError` if a seat was sold twice or the audit finds a violation.
    """
    sizes = market.sizes
    ratios: list[float] = []
    for _ in range(sizes.rounds):
        people = [token for _, token in await market.sign_in(sizes.buyers)]
        many = await market.seed_tickets(sizes.buyers)
        (arena,) = await market.seed_tickets(1, quantity=sizes.seats)
        spread = await market.burst([hold(token, ticket) for token, ticket in zip(people, many, strict=True)])
        hot = await market.burst([hold(token, arena) for token in people])
        await market.none_sold_twice([arena])
        await market.check()
        for name, answer in (("spread", spread), ("hot", hot)):
            if answer["statuses"] != {201: sizes.buyers}:
                raise UnsettledError(f"{name}: a buyer got no seat, though there were enough: {answer['statuses']}")
        ratios.append(spread["won_seconds"] / hot["won_seconds"])
        market.say(
            f"{sizes.buyers:,} holds: {spread['won_seconds']:.2f} s on as many listings, {hot['won_seconds']:.2f} s on "
            f"one of {sizes.seats:,} seats"
        )
    on = f"{sizes.buyers:,} buyers on one listing of {sizes.seats:,} seats"
    return [
        Finding(
            part="arena",
            name=f"{on} to as many listings: committed holds",
            unit="x",
            rounds=tuple(ratios),
            at_least=0.8,
            note="no seat held twice, the audit found nothing",
        )
    ]
