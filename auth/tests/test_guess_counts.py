"""The count of one account's guesses in the database: exact under concurrency, over a sliding window."""

import asyncio
import time
from datetime import timedelta

from ticketing_auth.domain import GuessRules
from ticketing_auth.guesses import GuessLimit
from ticketing_common.storage import Database, connect

ACCOUNT = "a" * 32


def test_the_shares_of_a_limit_add_up_to_it() -> None:
    for amount in range(10, 200):
        rules = GuessRules.of(amount, timedelta(hours=1))
        assert rules.strangers + rules.devices == amount
        assert 1 <= rules.each_device < rules.devices < rules.strangers


async def test_of_200_guesses_at_once_from_two_replicas_exactly_as_many_as_allowed_are_admitted(
    guesses: GuessLimit, mongo_url: str, database_name: str
) -> None:
    client = connect(mongo_url, application="auth-tests-other")
    other = GuessLimit(client[database_name]["password_guesses"], GuessRules.of(100, timedelta(hours=1)))
    try:
        found = await asyncio.gather(
            *(counts.reserve(ACCOUNT, device_id=None) for _ in range(100) for counts in (guesses, other))
        )
    finally:
        client.close()
    assert sum(guess.admitted for guess in found) == 80
    assert len({guess.id for guess in found}) == 200


async def test_many_accounts_that_are_new_at_once_lose_no_guess(guesses: GuessLimit) -> None:
    names = [f"{number % 20:032x}" for number in range(200)]
    assert all(
        guess.admitted for guess in await asyncio.gather(*(guesses.reserve(name, device_id=None) for name in names))
    )
    documents = [document async for document in guesses.collection.find({})]
    assert sorted(len(document["guesses"]) for document in documents) == [10] * 20


async def test_the_account_is_open_again_when_its_oldest_guess_leaves_the_window_however_many_were_refused(
    database: Database,
) -> None:
    rules = GuessRules(window=timedelta(seconds=3), strangers=2, devices=1, each_device=1)
    guesses = GuessLimit(database["password_guesses"], rules)
    begun = time.monotonic()
    assert (await guesses.reserve(ACCOUNT, device_id=None)).admitted
    assert (await guesses.reserve(ACCOUNT, device_id=None)).admitted
    refusals = 0
    async with asyncio.timeout(60):
        while not (guess := await guesses.reserve(ACCOUNT, device_id=None)).admitted:
            refusals += 1
            assert guess.retry_after_seconds in (1, 2, 3)
            await asyncio.sleep(0.02)
    assert refusals > 0
    assert time.monotonic() - begun >= 3


async def test_releasing_a_guess_twice_frees_one_guess(database: Database) -> None:
    rules = GuessRules(window=timedelta(hours=1), strangers=2, devices=1, each_device=1)
    guesses = GuessLimit(database["password_guesses"], rules)
    first = await guesses.reserve(ACCOUNT, device_id=None)
    await guesses.reserve(ACCOUNT, device_id=None)
    for _ in range(2):
        await guesses.release(ACCOUNT, first)
    assert (await guesses.reserve(ACCOUNT, device_id=None)).admitted
    assert not (await guesses.reserve(ACCOUNT, device_id=None)).admitted


async def test_the_document_of_an_account_holds_no_more_guesses_than_the_limit(guesses: GuessLimit) -> None:
    devices = [None, *(f"{number:016x}" for number in range(6))]
    for _ in range(3):
        await asyncio.gather(*(guesses.reserve(ACCOUNT, device_id=device) for device in devices for _ in range(40)))
    document = await guesses.collection.find_one({"_id": ACCOUNT})
    assert document is not None
    by_device = [sum(guess["device"] == device for guess in document["guesses"]) for device in devices]
    assert len(document["guesses"]) == 100
    assert by_device[0] == 80
    assert max(by_device[1:]) <= 10
    assert document["expires_at"] > max(guess["at"] for guess in document["guesses"])
