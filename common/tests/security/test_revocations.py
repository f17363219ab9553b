"""Which valid tokens are refused because their session was ended."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from ticketing_common.events import RevocationReason, SessionEndedData, UserData
from ticketing_common.security import (
    AuthenticationMiddleware,
    OriginCheck,
    SessionReader,
    SessionRevocations,
    TokenVerifier,
    User,
)
from ticketing_testkit.apps import Identity

pytestmark = pytest.mark.unit

ANN = "a" * 24
NOW = datetime.now(UTC)


def revoked(epoch: int, *, user_id: str = ANN, at: datetime = NOW, end_in: timedelta = timedelta(hours=1)) -> UserData:
    return UserData(
        id=user_id,
        version=epoch,
        user_id=user_id,
        session_epoch=epoch,
        revoked_before=at,
        tokens_end_at=at + end_in,
        reason=RevocationReason.SIGNED_OUT,
    )


def session(epoch: int | None, *, user_id: str = ANN, signed_in_at: datetime = NOW) -> User:
    return User(user_id, "", "", signed_in_at, signed_in_at + timedelta(minutes=30), session_epoch=epoch)


def test_sessions_of_a_lower_epoch_are_over_and_those_of_the_same_second_with_the_new_epoch_are_not() -> None:
    revocations = SessionRevocations()
    assert not revocations.ended(session(0))
    revocations.note(revoked(1))
    assert revocations.ended(session(0))
    assert not revocations.ended(session(1))
    assert not revocations.ended(session(0, user_id="b" * 24))


@pytest.mark.parametrize("skew", [timedelta(0), timedelta(seconds=-2), timedelta(seconds=2)])
def test_the_clocks_of_the_replicas_do_not_matter(skew: timedelta) -> None:
    revocations = SessionRevocations()
    revocations.note(revoked(3))
    assert revocations.ended(session(2, signed_in_at=NOW + skew))
    assert not revocations.ended(session(3, signed_in_at=NOW + skew))


@pytest.mark.parametrize("order", sorted(set(permutations((1, 2, 2, 3)))))
def test_events_may_come_twice_and_in_any_order(order: tuple[int, ...]) -> None:
    revocations = SessionRevocations()
    for epoch in order:
        revocations.note(revoked(epoch))
    assert [revocations.ended(session(epoch)) for epoch in range(5)] == [True, True, True, False, False]
    assert len(revocations) == 1


def test_a_token_from_before_accounts_had_an_epoch_is_compared_by_its_time() -> None:
    """Its time has whole seconds, so one of the same second as the revocation may be older, and is over."""
    revocations = SessionRevocations()
    half_past = NOW.replace(microsecond=500_000)
    revocations.note(revoked(1, at=half_past))
    assert revocations.ended(session(None, signed_in_at=half_past.replace(microsecond=0)))
    later = half_past.replace(microsecond=0) + timedelta(seconds=1)
    assert not revocations.ended(session(None, signed_in_at=later))


def test_an_entry_is_dropped_when_no_token_can_be_valid_any_more() -> None:
    revocations = SessionRevocations()
    revocations.note(revoked(1, at=NOW - timedelta(hours=2)))  # read back at the start
    assert len(revocations) == 0
    revocations.note(revoked(1, end_in=timedelta(0)))
    for number in range(5):
        revocations.note(revoked(1, user_id=f"{number:024d}", end_in=timedelta(microseconds=1)))
    revocations.note(revoked(1, user_id="c" * 24))
    assert len(revocations) == 1


async def test_a_request_with_a_token_of_an_ended_session_has_no_user(
    identity: Identity, verifier: TokenVerifier
) -> None:
    """Also if the token was accepted before: verified tokens are remembered."""

    async def who(scope: Scope, receive: Receive, send: Send) -> None:
        state = Request(scope).state
        error = state.authentication_error
        answer = [state.user.id if state.user else None, str(error) if error else None]
        await JSONResponse(answer)(scope, receive, send)

    revocations = SessionRevocations()
    origins = OriginCheck(allowed_origins=[], cookie_names=["session"])
    sessions = SessionReader(verifier=verifier, cookie_names=["session"], revocations=revocations)
    app = AuthenticationMiddleware(who, origins=origins, sessions=sessions)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as browser:

        async def ask(epoch: int) -> list[str | None]:
            answer: list[str | None] = (await browser.get("/", headers=headers[epoch])).json()
            return answer

        headers = {epoch: identity.headers(ANN, session_epoch=epoch) for epoch in (0, 1)}
        assert await ask(0) == [ANN, None]
        revocations.note(revoked(1))
        assert await ask(0) == [None, "The session has ended."]
        assert await ask(1) == [ANN, None]


def ended_alone(session_id: str, *, end_in: timedelta = timedelta(hours=1)) -> SessionEndedData:
    return SessionEndedData(
        id=ANN, version=2, user_id=ANN, session_id=session_id, ended_at=NOW, tokens_end_at=NOW + end_in
    )


def of_session(session_id: str | None, token_id: str = "token") -> User:
    return User(ANN, "", token_id, NOW, NOW + timedelta(minutes=30), session_id=session_id, session_epoch=0)


def test_a_session_that_ended_alone_takes_no_other_with_it() -> None:
    revocations = SessionRevocations()
    for _ in range(2):
        revocations.note_session(ended_alone("laptop"))
        revocations.note_session(ended_alone("an API token"))
    assert revocations.ended(of_session("laptop"))
    assert revocations.ended(of_session(None, "an API token"))
    assert not revocations.ended(of_session("phone"))
    assert not revocations.ended(of_session(None, "another API token"))
    assert len(revocations) == 2


def test_an_ended_session_is_dropped_when_its_tokens_have_expired() -> None:
    revocations = SessionRevocations()
    revocations.note_session(ended_alone("long ago", end_in=timedelta(hours=-1)))  # read back at the start
    assert len(revocations) == 0
    for number in range(5):
        revocations.note_session(ended_alone(str(number), end_in=timedelta(hours=1)))
    # Time passes: as if each had ended an hour earlier.
    for session_id, data in revocations._single.items():
        revocations._single[session_id] = data.model_copy(update={"tokens_end_at": NOW})
    revocations.note_session(ended_alone("now"))
    assert len(revocations) == 1
    assert revocations.ended(of_session("now"))
