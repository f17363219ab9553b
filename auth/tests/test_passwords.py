import asyncio
import os
import sys
import threading

import pytest
from passlib.context import CryptContext
from pydantic import SecretStr

from ticketing_auth.errors import PasswordQueueFullError
from ticketing_auth.passwords import NICENESS, PasswordHasher, Verdict

PASSWORD = SecretStr("correct horse battery")


async def test_a_password_is_hashed_with_argon2id_at_owasps_cost(passwords: PasswordHasher) -> None:
    hashed = await passwords.hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(PASSWORD, hashed) == Verdict(True)
    assert await passwords.verify(SecretStr("another"), hashed) == Verdict(False)


async def test_two_hashes_of_one_password_differ(passwords: PasswordHasher) -> None:
    assert await passwords.hash(PASSWORD) != await passwords.hash(PASSWORD)


async def test_an_account_that_does_not_exist_matches_no_password(passwords: PasswordHasher) -> None:
    assert await passwords.verify(PASSWORD, None) == Verdict(False)
    assert await passwords.verify(SecretStr(""), None) == Verdict(False)


async def test_a_hash_of_other_parameters_is_right_and_comes_back_renewed(passwords: PasswordHasher) -> None:
    weaker = CryptContext(schemes=["argon2"], argon2__memory_cost=1024, argon2__time_cost=1, argon2__parallelism=1)
    old_hash = weaker.hash(PASSWORD.get_secret_value())

    matches, new_hash = await passwords.verify(PASSWORD, old_hash)

    assert matches
    assert await passwords.verify(PASSWORD, new_hash) == Verdict(True)
    assert await passwords.verify(SecretStr("another"), old_hash) == Verdict(False)


@pytest.mark.parametrize("password", ["é" * 8, "\0" * 8, "🎟" * 128, "        ", "e\u0301" * 8])
async def test_every_character_counts(passwords: PasswordHasher, password: str) -> None:
    hashed = await passwords.hash(SecretStr(password))
    assert await passwords.verify(SecretStr(password), hashed) == Verdict(True)
    assert await passwords.verify(SecretStr(password[:-1]), hashed) == Verdict(False)


async def test_a_password_is_the_same_from_every_keyboard(passwords: PasswordHasher) -> None:
    hashed = await passwords.hash(SecretStr("caf\u00e9 creme"))
    assert await passwords.verify(SecretStr("cafe\u0301 creme"), hashed) == Verdict(True)


async def test_the_event_loop_is_free_while_passwords_are_hashed(passwords: PasswordHasher) -> None:
    hashing = asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(4)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100
    assert len(await hashing) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
async def test_only_the_hashing_threads_have_a_lower_priority() -> None:
    hasher = PasswordHasher(threads=1, queue=1)
    try:
        nice = await hasher._run(lambda: os.getpriority(os.PRIO_PROCESS, 0))
        assert nice == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
    finally:
        hasher.close()


async def test_a_full_queue_refuses_at_once_and_the_others_are_served() -> None:
    hasher = PasswordHasher(threads=1, queue=2)
    running = [asyncio.create_task(hasher.hash(PASSWORD)) for _ in range(3)]
    await asyncio.sleep(0)  # lets the three enter the queue
    try:
        with pytest.raises(PasswordQueueFullError) as refused:
            await hasher.verify(PASSWORD, None)

        assert refused.value.status == 503
        assert refused.value.retry_after_seconds >= 1
        assert len(await asyncio.gather(*running)) == 3
        assert await hasher.verify(PASSWORD, None) == Verdict(False)
    finally:
        hasher.close()


async def test_a_cancelled_caller_frees_its_place_in_the_queue() -> None:
    hasher = PasswordHasher(threads=1, queue=0)
    impatient = asyncio.create_task(hasher.hash(PASSWORD))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    try:
        assert await hasher.verify(PASSWORD, None) == Verdict(False)
    finally:
        hasher.close()


async def test_closing_leaves_no_thread_behind() -> None:
    hasher = PasswordHasher(threads=2, queue=0)
    await asyncio.gather(hasher.hash(PASSWORD), hasher.hash(PASSWORD))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("passwords")]
    assert 1 <= len(threads) <= 2
    hasher.close()
    await asyncio.gather(*(asyncio.to_thread(thread.join, 5) for thread in threads))
    assert not any(thread.is_alive() for thread in threads)
