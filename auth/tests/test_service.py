"""What a sign-in does that no response shows: the time that it takes, and the hash that it stores."""

import asyncio
from statistics import median
from time import perf_counter

import pytest
from passlib.context import CryptContext
from pydantic import SecretStr

from ticketing_auth.domain import User
from ticketing_auth.errors import CredentialsInvalidError
from ticketing_auth.service import AuthService

from .conftest import EMAIL, RunningAuth

PASSWORD = SecretStr("correct horse battery")
WRONG = SecretStr("correct horse batteries")


@pytest.fixture
def service(auth: RunningAuth) -> AuthService:
    found: AuthService = auth.app.state.service
    return found


async def test_a_wrong_password_and_an_unknown_email_fail_in_the_same_time(service: AuthService) -> None:
    await service.sign_up(EMAIL, PASSWORD)

    async def seconds(email: str) -> float:
        began = perf_counter()
        with pytest.raises(CredentialsInvalidError):
            await service.sign_in(email, WRONG)
        return perf_counter() - began

    # Alternating, so that other work on this machine slows both equally.
    pairs = [(await seconds(EMAIL), await seconds("bob@example.com")) for _ in range(15)]
    known, unknown = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    assert 0.5 < known / unknown < 2  # without the dummy hash it is about 10 to 30


async def test_signing_in_renews_a_hash_of_weaker_parameters(auth: RunningAuth, service: AuthService) -> None:
    users = auth.users
    weaker = CryptContext(schemes=["argon2"], argon2__memory_cost=1024, argon2__time_cost=1, argon2__parallelism=1)
    user = User(email=EMAIL, password_hash=weaker.hash(PASSWORD.get_secret_value()))
    await users.add(user)

    with pytest.raises(CredentialsInvalidError):
        await service.sign_in(EMAIL, WRONG)
    assert (await users.get(user.id)).password_hash == user.password_hash

    await asyncio.gather(*(service.sign_in(EMAIL, PASSWORD) for _ in range(4)))

    renewed = await users.get(user.id)
    assert "$m=19456,t=2,p=1$" in renewed.password_hash
    assert (await service.sign_in(EMAIL, PASSWORD)).email == EMAIL
    assert await users.get(user.id) == renewed
