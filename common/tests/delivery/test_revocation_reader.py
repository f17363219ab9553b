"""Each replica learns the ended sessions: earlier ones before it is ready, later ones through an outage."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from prometheus_client import REGISTRY

from ticketing_common.delivery import revocation_reader
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import (
    RevocationReason,
    SessionEndedData,
    UserData,
    UserDeleted,
    UserEvent,
    UserSessionEnded,
    UserSessionsRevoked,
)
from ticketing_common.messaging import NatsConnection
from ticketing_common.security import SessionRevocations, User
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until

Until = Callable[..., Awaitable[None]]


def ended(user_id: str, event_class: type[UserEvent] = UserSessionsRevoked) -> UserEvent:
    return event_class.of(
        UserData(
            id=user_id,
            version=2,
            user_id=user_id,
            session_epoch=1,
            revoked_before=utc_now(),
            tokens_end_at=utc_now() + timedelta(hours=1),
            reason=RevocationReason.SIGNED_OUT,
        )
    )


def former(user_id: str) -> User:
    return User(user_id, "", "", utc_now(), utc_now() + timedelta(minutes=30), session_epoch=0)


def alone(user: User) -> UserSessionEnded:
    """The event of the end of this session."""
    return UserSessionEnded.of(
        SessionEndedData(
            id=user.id,
            version=2,
            user_id=user.id,
            session_id=user.session_key,
            ended_at=utc_now(),
            tokens_end_at=utc_now() + timedelta(hours=1),
        )
    )


async def test_what_ended_before_the_start_is_known_once_the_reader_has_caught_up(
    connection: NatsConnection, bus: Bus
) -> None:
    users = [new_id() for _ in range(300)]
    for user_id in users:
        await bus.publish(ended(user_id, UserDeleted if user_id == users[0] else UserSessionsRevoked))
    single = replace(former(new_id()), session_id=new_id())
    await bus.publish(alone(single))
    revocations = SessionRevocations()
    reader = revocation_reader(connection, revocations, service="parcels")
    reader.start()
    try:

        async def caught_up() -> bool:
            return reader.caught_up

        await until(caught_up)
        assert all(revocations.ended(former(user_id)) for user_id in users)
        assert revocations.ended(single)
        assert not revocations.ended(replace(single, session_id=new_id())), "another session of the account"
        assert REGISTRY.get_sample_value("session_revocations_current", {"service": "parcels"}) == 1
    finally:
        await reader.stop()


async def test_while_the_bus_is_away_what_is_known_stays_and_the_metric_says_so_and_afterwards_it_heals(
    connection: NatsConnection, bus: Bus, nats_server: NatsServer
) -> None:
    before, after = new_id(), new_id()
    revocations = SessionRevocations()
    reader = revocation_reader(connection, revocations, service="parcels")
    reader.start()
    try:

        async def knows_the_first() -> bool:
            return revocations.ended(former(before))

        async def knows_the_second() -> bool:
            return revocations.ended(former(after))

        async def is_current(value: int) -> bool:
            return REGISTRY.get_sample_value("session_revocations_current", {"service": "parcels"}) == value

        await bus.publish(ended(before))
        await until(knows_the_first)
        nats_server.kill()
        await until(lambda: is_current(0))
        assert revocations.ended(former(before))
        assert not revocations.ended(former(after))

        await asyncio.to_thread(nats_server.start)

        async def published() -> bool:
            try:
                await bus.publish(ended(after))
            except Exception:
                return False
            return True

        await until(published)
        await until(knows_the_second)
        await until(lambda: is_current(1))
        assert revocations.ended(former(before))
    finally:
        await reader.stop()
