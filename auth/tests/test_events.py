"""What auth publishes about accounts, and what it does while the bus is away."""

from collections.abc import Callable
from typing import Any

from ticketing_auth.publishers import account_changed
from ticketing_auth.settings import Settings
from ticketing_common.events import RevocationReason, UserDeleted, UserEvent, UserSessionsRevoked
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import free_port

from .conftest import NEW_PASSWORD, RunAuth, RunningAuth


async def test_each_end_of_all_sessions_is_published_with_its_epoch_and_no_address(
    auth: RunningAuth, bus: Bus, settings: Callable[..., Settings]
) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    assert (await auth.change_password()).status_code == 200
    await auth.post("signout-everywhere")
    await auth.sign_in(password=NEW_PASSWORD)
    assert (await auth.leave(NEW_PASSWORD)).status_code == 204

    await bus.expect(UserDeleted, lambda event: event.subject == user_id)

    events: list[UserEvent] = [*await bus.events(UserSessionsRevoked), *await bus.events(UserDeleted)]
    own = [event for event in events if event.subject == user_id]
    assert [(event.NAME, event.data.session_epoch, event.data.reason) for event in own] == [
        ("user.sessions_revoked", 1, RevocationReason.PASSWORD_CHANGED),
        ("user.sessions_revoked", 2, RevocationReason.SIGNED_OUT),
        ("user.deleted", 3, RevocationReason.DELETED),
    ]
    assert [event.data.version for event in own] == sorted(event.data.version for event in own)
    for event in own:
        lifetime = event.data.tokens_end_at - event.data.revoked_before
        assert lifetime.total_seconds() == 2 * settings().session_minutes * 60
        assert b"ann" not in event.to_json()
    user = await auth.users.get(user_id)
    assert account_changed(user).data == own[-1].data, "a resync publishes the same"


async def test_an_account_whose_sessions_were_never_ended_is_not_republished(auth: RunningAuth) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    user = await auth.users.get(user_id)
    assert await auth.users.republish(user, account_changed) is False


async def test_auth_is_ready_and_ends_sessions_while_the_bus_is_away(run_auth: RunAuth, database: Any) -> None:
    """It starts without the bus. The event waits in the account's outbox."""
    async with run_auth(nats_url=f"nats://127.0.0.1:{free_port()}") as auth:
        assert (await auth.browser.get("/readyz")).status_code == 200
        user_id = (await auth.sign_up()).json()["id"]
        token = (await auth.token()).json()["access_token"]
        await auth.post("signout-everywhere")
        assert (await auth.current_user(bearer=token)).json() == {"currentUser": None}
        document = await database["users"].find_one({"_id": user_id})
        assert [entry["subject"] for entry in document["outbox"]] == [f"user.sessions_revoked.{user_id}"]
