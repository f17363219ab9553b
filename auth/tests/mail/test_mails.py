import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ticketing_auth.mail import MailKind, Mails
from ticketing_common.entity import new_id
from ticketing_common.storage import Database, Document


async def all_of(mails: Mails) -> list[Document]:
    return [document async for document in mails.collection.find()]


async def is_due(mails: Mails) -> bool:
    due: Any = {"state": "queued", "$expr": {"$lte": ["$next_at", "$$NOW"]}}
    return await mails.collection.find_one(due) is not None


async def test_a_fact_has_one_mail_however_often_it_is_requested(mails: Mails) -> None:
    user_id = new_id()

    async def request() -> bool:
        return await mails.request(MailKind.ORDER_COMPLETE, user_id=user_id, fact="an order")

    new = [*await asyncio.gather(*(request() for _ in range(20))), await request()]

    assert sorted(new) == [False] * 20 + [True]
    assert [mail["_id"] for mail in await all_of(mails)] == ["order_complete:an order"]
    assert await mails.request(MailKind.REFUNDED, user_id=user_id, fact="an order")


async def test_a_repeated_request_changes_nothing(mails: Mails) -> None:
    await mails.request(MailKind.SOLD, user_id=new_id(), fact="an order", values={"title": "The Tempest"})
    before = await all_of(mails)

    await mails.request(MailKind.SOLD, user_id=new_id(), fact="an order", values={"title": "Another"})

    assert await all_of(mails) == before


async def test_values_are_stored_as_given(mails: Mails) -> None:
    """Not as expressions of MongoDB, although the request is an aggregation."""
    values = {"title": "$user_id", "$weird": {"$add": [1, 1]}, "venue": "$$NOW", "empty": None}

    await mails.request(MailKind.SOLD, user_id="$kind", fact="$$ROOT", values=values)

    (stored,) = await all_of(mails)
    assert (stored["_id"], stored["user_id"], stored["values"]) == ("sold:$$ROOT", "$kind", values)


async def test_a_new_request_wakes_the_worker_and_a_repeated_one_does_not(database: Database) -> None:
    woken: list[str] = []
    mails = Mails(database["mails"], woken.append)

    for _ in range(2):
        await mails.request(MailKind.RESET, user_id=new_id(), fact="a token")

    assert woken == ["reset:a token"]


async def test_concurrent_requests_share_commands_and_wake_the_worker_once_for_each_command(database: Database) -> None:
    woken: list[str] = []
    mails = Mails(database["mails"], woken.append)
    facts = [f"order {number}" for number in range(40)]

    new = await asyncio.gather(
        *(mails.request(MailKind.HOLD_EXPIRED, user_id=new_id(), fact=fact) for fact in facts + facts)
    )

    assert sum(new) == len(facts), "each fact has one mail, whichever request was first"
    assert {mail["_id"] for mail in await all_of(mails)} == {f"hold_expired:{fact}" for fact in facts}
    assert 1 <= len(woken) < len(facts)


async def test_a_delayed_mail_is_not_due_at_once(mails: Mails) -> None:
    await mails.request(MailKind.VERIFY, user_id=new_id(), fact="later", delay=timedelta(hours=1))
    assert not await is_due(mails)
    await mails.request(MailKind.VERIFY, user_id=new_id(), fact="now")
    assert await is_due(mails)


async def test_an_announced_mail_becomes_due_when_its_change_is_made(database: Database) -> None:
    woken: list[str] = []
    mails = Mails(database["mails"], woken.append)

    async with mails.announcing(MailKind.PASSWORD_CHANGED, user_id=new_id(), fact="a change"):
        assert not await is_due(mails)
        assert woken == []

    assert await is_due(mails)
    assert woken == ["password_changed:a change"]


async def test_an_announced_mail_is_withdrawn_when_its_change_fails(mails: Mails) -> None:
    with pytest.raises(ConnectionError):
        async with mails.announcing(MailKind.PASSWORD_CHANGED, user_id=new_id(), fact="a change"):
            raise ConnectionError

    assert await all_of(mails) == []


async def test_a_failed_repetition_does_not_withdraw_the_first_mail(mails: Mails) -> None:
    async with mails.announcing(MailKind.PASSWORD_CHANGED, user_id=new_id(), fact="a change"):
        pass
    with pytest.raises(ConnectionError):
        async with mails.announcing(MailKind.PASSWORD_CHANGED, user_id=new_id(), fact="a change"):
            raise ConnectionError

    assert await is_due(mails)


async def test_the_mails_of_a_deleted_account_are_forgotten(mails: Mails) -> None:
    leaving, staying = new_id(), new_id()
    for user_id in (leaving, staying):
        await mails.request(MailKind.SOLD, user_id=user_id, fact=f"order of {user_id}")

    await mails.forget_account(leaving)

    assert [mail["user_id"] for mail in await all_of(mails)] == [staying]


async def test_every_query_has_an_index(mails: Mails) -> None:
    await mails.request(MailKind.SOLD, user_id="one", fact="an order")
    due = mails.collection.find({"state": "queued", "$expr": {"$lte": ["$next_at", "$$NOW"]}}).sort("next_at")
    of_account = mails.collection.find({"user_id": "one"})

    for query in (due, of_account):
        plan = await query.explain()
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
