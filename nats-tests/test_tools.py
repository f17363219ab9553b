"""The tools for manual use of the bus, run with their real arguments."""

import asyncio
import json

from commands import run
from event_system import EventSystem

from ticketing_common.topology import DEAD_LETTERS, ORDERS


async def publish(nats_url: str, *arguments: str) -> tuple[int, str]:
    return await run("publish.py", *arguments, NATS_URL=nats_url, COLUMNS="200", NO_COLOR="1")


async def listen(nats_url: str, *arguments: str) -> str:
    status, output = await run("listen.py", *arguments, NATS_URL=nats_url, COLUMNS="200", NO_COLOR="1")
    assert status == 0, output
    return output


async def test_a_made_up_event_is_received_as_published(system: EventSystem, nats_url: str) -> None:
    aggregate = "0123456789abcdef01234567"
    arguments = ("order.created", "--id", aggregate, "--set", "ticket.title=Opera", "--set", "ticket.price_cents=4200")

    assert await publish(nats_url, *arguments) == (0, f"order.created.{aggregate} v1 → {ORDERS} #1\n")

    received = await listen(nats_url, "order.>", "--since", "all", "--no-follow")
    body = json.loads(received[received.index("\n{") :])
    assert body["data"]["ticket"]["title"] == "Opera"
    assert body["data"]["ticket"]["price_cents"] == 4200
    assert "Nats-Msg-Id: " in received
    assert await listen(nats_url, "ticket.>", "--since", "all", "--no-follow") == ""


async def test_consumers_handle_duplicated_and_shuffled_versions(system: EventSystem, nats_url: str) -> None:
    subscriber = await system.subscriber("orders")

    status, output = await publish(nats_url, "ticket.updated", "--versions", "5", "--times", "3", "--shuffle")

    assert (status, len(output.splitlines())) == (0, 15), output
    await system.settle()
    # All five versions are of one ticket, and the newest is stored.
    assert [ticket.version for ticket in (await subscriber.held()).values()] == [5]


async def test_the_broker_drops_duplicates_of_a_message_id(system: EventSystem, nats_url: str) -> None:
    _, output = await publish(nats_url, "ticket.created", "--times", "2", "--same-id")
    assert [("dropped" in line) for line in output.splitlines()] == [False, True]


async def test_recorded_events_can_be_published_again(system: EventSystem, nats_url: str) -> None:
    await publish(nats_url, "ticket.created", "ticket.created")
    status, output = await publish(nats_url, "--from", "TICKETS:1-2")
    assert (status, [line.split("→")[1] for line in output.splitlines()]) == (0, [" TICKETS #3", " TICKETS #4"])
    status, output = await publish(nats_url, "--from", "contracts/payment.failed.json")
    assert (status, output.startswith("payment.failed.")) == (0, True)


async def test_an_unparsable_event_needs_an_option_and_becomes_a_dead_letter(
    system: EventSystem, nats_url: str
) -> None:
    await system.subscriber("orders")
    nonsense = ("ticket.created", "--set", "price_cents=free")
    status, output = await publish(nats_url, *nonsense)
    assert status == 1
    assert "--broken" in output

    assert (await publish(nats_url, *nonsense, "--broken"))[0] == 0

    await system.settle()
    (letter,) = await system.dead_letters()
    assert "price_cents" in letter.error
    received = await listen(nats_url, "dead_letters.>", "--nets", "--since", "all", "--no-follow")
    assert DEAD_LETTERS.lower() in received
    assert "price_cents" in received


async def test_wrong_arguments_are_a_clear_error(nats_url: str) -> None:
    wrong = (
        (),
        ("order.forgotten",),
        ("order.created", "--set", "price"),
        ("ticket.created", "--set", "prise_cents=1"),
        ("--from", "nowhere.json"),
        ("--from", "ORDERS:x"),
        ("--from", "ORDERS:9"),
    )
    for (status, output), arguments in zip(
        await asyncio.gather(*(publish(nats_url, *arguments) for arguments in wrong)), wrong, strict=True
    ):
        assert (status, len(output.splitlines())) == (1, 1), (arguments, output)
