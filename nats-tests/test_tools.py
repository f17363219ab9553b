"""The tools for playing with the bus, as a person types them."""

import asyncio
import json

from commands import run
from world import World

from ticketing_common.events.subjects import DEAD_LETTERS, ORDERS


async def publish(nats_url: str, *arguments: str) -> tuple[int, str]:
    return await run("publish.py", *arguments, NATS_URL=nats_url, COLUMNS="200", NO_COLOR="1")


async def listen(nats_url: str, *arguments: str) -> str:
    status, output = await run("listen.py", *arguments, NATS_URL=nats_url, COLUMNS="200", NO_COLOR="1")
    assert status == 0, output
    return output


async def test_a_made_up_event_is_heard_as_it_was_asked_for(world: World, nats_url: str) -> None:
    aggregate = "0123456789abcdef01234567"
    told = ("order.created", "--id", aggregate, "--set", "ticket.title=Opera", "--set", "ticket.price_cents=4200")

    assert await publish(nats_url, *told) == (0, f"order.created.{aggregate} v1 → {ORDERS} #1\n")

    heard = await listen(nats_url, "order.>", "--since", "all", "--no-follow")
    body = json.loads(heard[heard.index("\n{") :])
    assert body["data"]["ticket"]["title"] == "Opera"
    assert body["data"]["ticket"]["price_cents"] == 4200
    assert "Nats-Msg-Id: " in heard
    assert await listen(nats_url, "ticket.>", "--since", "all", "--no-follow") == ""


async def test_versions_may_be_doubled_and_shuffled_and_readers_bear_it(world: World, nats_url: str) -> None:
    subscriber = await world.subscriber("orders")

    status, output = await publish(nats_url, "ticket.updated", "--versions", "5", "--times", "3", "--shuffle")

    assert (status, len(output.splitlines())) == (0, 15), output
    await world.settle()
    # One aggregate for each version here would be five: all are one ticket, and the newest has won.
    assert [ticket.version for ticket in (await subscriber.held()).values()] == [5]


async def test_the_broker_drops_what_has_the_same_id(world: World, nats_url: str) -> None:
    _, output = await publish(nats_url, "ticket.created", "--times", "2", "--same-id")
    assert [("dropped" in line) for line in output.splitlines()] == [False, True]


async def test_what_was_recorded_can_be_told_again(world: World, nats_url: str) -> None:
    await publish(nats_url, "ticket.created", "ticket.created")
    status, output = await publish(nats_url, "--from", "TICKETS:1-2")
    assert (status, [line.split("→")[1] for line in output.splitlines()]) == (0, [" TICKETS #3", " TICKETS #4"])
    status, output = await publish(nats_url, "--from", "contracts/payment.failed.json")
    assert (status, output.startswith("payment.failed.")) == (0, True)


async def test_what_no_reader_understands_needs_a_word_more_and_ends_among_the_dead_letters(
    world: World, nats_url: str
) -> None:
    await world.subscriber("orders")
    nonsense = ("ticket.created", "--set", "price_cents=free")
    status, output = await publish(nats_url, *nonsense)
    assert status == 1
    assert "--broken" in output

    assert (await publish(nats_url, *nonsense, "--broken"))[0] == 0

    await world.settle()
    (letter,) = await world.dead_letters()
    assert "price_cents" in letter.error
    heard = await listen(nats_url, "dead_letters.>", "--nets", "--since", "all", "--no-follow")
    assert DEAD_LETTERS.lower() in heard
    assert "price_cents" in heard


async def test_what_makes_no_sense_is_one_clear_sentence(nats_url: str) -> None:
    senseless = (
        (),
        ("order.forgotten",),
        ("order.created", "--set", "price"),
        ("ticket.created", "--set", "prise_cents=1"),
        ("--from", "nowhere.json"),
        ("--from", "ORDERS:x"),
        ("--from", "ORDERS:9"),
    )
    for (status, output), arguments in zip(
        await asyncio.gather(*(publish(nats_url, *arguments) for arguments in senseless)), senseless, strict=True
    ):
        assert (status, len(output.splitlines())) == (1, 1), (arguments, output)
