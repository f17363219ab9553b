import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter

import pytest
from passlib.context import CryptContext
from pydantic import SecretStr

from ticketing_auth.domain import User
from ticketing_auth.enrolment import SecretVault
from ticketing_auth.errors import CredentialsInvalidError, EmailTakenError
from ticketing_auth.guesses import GuessLimit
from ticketing_auth.mail import Mails
from ticketing_auth.open_sessions import OpenSessions
from ticketing_auth.passwords import PasswordHasher
from ticketing_auth.repository import RevokedSessions, UserRepository
from ticketing_auth.service import AuthService, CodeCheck
from ticketing_common.security import AUDIENCE, TokenSigner, TokenVerifier
from ticketing_common.security import User as VerifiedUser
from ticketing_common.storage import Database
from ticketing_testkit.apps import Identity

from .conftest import MakeSettings

EMAIL = "ann@example.com"
PASSWORD = SecretStr("correct horse battery")
WRONG = SecretStr("correct horse batteries")


@pytest.fixture
def service(
    users: UserRepository,
    revoked: RevokedSessions,
    open_sessions: OpenSessions,
    passwords: PasswordHasher,
    guesses: GuessLimit,
    database: Database,
    settings: MakeSettings,
    identity: Identity,
) -> AuthService:
    made = settings()
    vault = SecretVault([identity.second_factor_key])
    codes = CodeCheck(users, Mails(database["mails"]), vault, GuessLimit(database["code_guesses"], None))
    signer = TokenSigner(identity.private_key_pem, issuer=made.jwt_issuer, audience=AUDIENCE, lifetime_seconds=1800)
    return AuthService(users, revoked, open_sessions, passwords, guesses, codes, signer, made)


@pytest.fixture
def read(settings: MakeSettings) -> Callable[[str], VerifiedUser]:
    made = settings()
    return TokenVerifier(made.jwt_public_keys, issuer=made.jwt_issuer, audience=AUDIENCE).verify


async def test_an_account_can_sign_in_after_sign_up(service: AuthService) -> None:
    user = await service.sign_up(EMAIL, PASSWORD)
    assert (await service.sign_in(EMAIL, PASSWORD)).id == user.id


async def test_of_many_sign_ups_with_one_email_exactly_one_wins_and_its_password_is_the_right_one(
    service: AuthService, users: UserRepository
) -> None:
    tries = [SecretStr(f"password {number}") for number in range(8)]
    results = await asyncio.gather(*(service.sign_up(EMAIL, one) for one in tries), return_exceptions=True)

    winners = [number for number, result in enumerate(results) if isinstance(result, User)]
    assert len(winners) == 1
    assert sum(isinstance(result, EmailTakenError) for result in results) == 7
    assert (await service.sign_in(EMAIL, tries[winners[0]])).email == EMAIL
    assert await users.collection.count_documents({}) == 1


async def test_a_wrong_password_and_an_unknown_email_have_the_same_error(service: AuthService) -> None:
    await service.sign_up(EMAIL, PASSWORD)
    with pytest.raises(CredentialsInvalidError) as wrong:
        await service.sign_in(EMAIL, WRONG)
    with pytest.raises(CredentialsInvalidError) as unknown:
        await service.sign_in("bob@example.com", PASSWORD)
    assert str(wrong.value) == str(unknown.value)


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


async def test_signing_in_renews_a_hash_of_weaker_parameters(service: AuthService, users: UserRepository) -> None:
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


async def test_every_sign_in_starts_its_own_session(service: AuthService, read: Callable[[str], VerifiedUser]) -> None:
    user = await service.sign_up(EMAIL, PASSWORD)
    phone, laptop = read(await service.open_session(user)), read(await service.open_session(user))

    await service.sign_out(phone)

    assert await service.find_account(phone) is None
    found = await service.find_account(laptop)
    assert found is not None
    assert found.id == user.id


async def test_signing_out_ends_all_tokens_of_a_session_and_no_api_token(
    service: AuthService, read: Callable[[str], VerifiedUser]
) -> None:
    user = await service.sign_up(EMAIL, PASSWORD)
    token, api_token = read(await service.open_session(user)), read(service.issue_token(user))
    renewed = read(
        service._signer.sign(
            user_id=user.id, email=user.email, signed_in_at=token.signed_in_at, session_id=token.session_id
        )
    )

    await service.sign_out(token)
    await service.sign_out(token)

    assert await service.find_account(renewed) is None
    found = await service.find_account(api_token)
    assert found is not None
    assert found.id == user.id
