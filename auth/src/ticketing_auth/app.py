"""Composition root of the auth service: the only place that builds and connects its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from fastapi import FastAPI

from ticketing_common.delivery import END_SESSIONS, RESET_FACTOR, ServiceRuntime
from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import UnauthenticatedError
from ticketing_common.security import AUDIENCE, TokenSigner, TokenVerifier
from ticketing_common.timers import Timers, connect
from ticketing_common.topology import USERS
from ticketing_common.web import create_service_app, quota

from .dependencies import RateLimits
from .domain import GuessRules
from .enrolment import SecretVault
from .guesses import GuessLimit
from .mail import Mails, OrderMails
from .obligations import Obligations
from .open_sessions import OpenSessions
from .passwords import BreachedPasswords, PasswordHasher
from .publishers import account_changed
from .repository import OneTimeTokens, RevokedSessions, UserRepository
from .routes import router
from .second_factor_routes import router as second_factor_router
from .service import AccountService, AuthService, CodeCheck, SecondFactorService
from .settings import MAIL_QUEUE, Settings
from .subscribers import subscriptions


def create_app(settings: Settings | None = None) -> FastAPI:
    """The auth service; settings come from the environment unless given.

    Raises `ValueError` if a key is not an Ed25519 key, if no public key matches the private key, or if a key of second
    factors has another length.
    """
    settings = settings or Settings()
    signer = _signer(settings)
    vault = SecretVault([key.get_secret_value() for key in settings.second_factor_keys])

    @asynccontextmanager
    async def assemble(app: FastAPI, runtime: ServiceRuntime) -> AsyncIterator[None]:
        users = UserRepository(runtime.outbox("users"))
        revoked = RevokedSessions(runtime.collection("revoked_sessions"))
        open_sessions = OpenSessions(runtime.collection("open_sessions"))
        password_quota, code_quota = quota(settings.rate_limit_guesses), quota(settings.rate_limit_codes)
        password_rules = GuessRules.of(*password_quota) if password_quota else None
        code_rules = GuessRules.of_codes(*code_quota) if code_quota else None
        guesses = GuessLimit(runtime.collection("password_guesses"), password_rules)
        code_guesses = GuessLimit(runtime.collection("code_guesses"), code_rules)
        tokens = OneTimeTokens(runtime.collection("one_time_tokens"))
        redis = connect(settings.redis_url.get_secret_value(), MAIL_QUEUE, ca_file=settings.internal_ca_file)
        timers = Timers(redis)
        mails = Mails(
            runtime.collection("mails"),
            on_request=lambda mail_id: timers.arm_soon(f"{MAIL_QUEUE}:{mail_id}", utc_now()),
        )
        obligations = Obligations(runtime.collection("obligations"))
        runtime.add_stores(users, revoked, open_sessions, guesses, code_guesses, tokens, mails, obligations)
        app.state.settings = settings
        app.state.mails = mails
        runtime.subscribe(subscriptions(OrderMails(mails), obligations))
        app.state.rate_limits = RateLimits(settings)
        breached = BreachedPasswords.at(settings.pwned_passwords_url)
        codes = CodeCheck(users, mails, vault, code_guesses)
        with closing(PasswordHasher(threads=settings.password_threads, queue=settings.password_queue)) as passwords:
            auth = AuthService(users, revoked, open_sessions, passwords, guesses, codes, signer, settings, breached)
            app.state.service = auth
            accounts = AccountService(
                users, tokens, open_sessions, mails, obligations, guesses=guesses, code_guesses=code_guesses, auth=auth
            )
            app.state.accounts = accounts
            second_factors = SecondFactorService(users, accounts, auth, codes, vault)
            app.state.second_factors = second_factors
            runtime.enable_resync(users, account_changed)
            runtime.enable_command(END_SESSIONS, accounts.end_sessions_of)
            runtime.enable_command(RESET_FACTOR, second_factors.reset)
            try:
                yield
            finally:
                await timers.close()
                await breached.close()

    return create_service_app(
        settings,
        title="Users",
        prefix="/api/users",
        routers=[router, second_factor_router],
        assemble=assemble,
        publishes=USERS,
        ready_without_bus=True,  # the database decides who is signed in; events wait in the outbox
    )


def _signer(settings: Settings) -> TokenSigner:
    """The signer. Raises `ValueError` for a private key whose tokens no service would accept."""
    issued_for = {"issuer": settings.jwt_issuer, "audience": AUDIENCE}
    signer = TokenSigner(
        settings.jwt_key.get_secret_value(), lifetime_seconds=settings.session_minutes * 60, **issued_for
    )
    probe = signer.sign(user_id=new_id(), email="", signed_in_at=utc_now())
    try:
        TokenVerifier(settings.jwt_public_keys, **issued_for).verify(probe)
    except UnauthenticatedError:
        raise ValueError("JWT_KEY is the private half of none of JWT_PUBLIC_KEYS") from None
    return signer
