import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from ticketing_auth.domain import User, normalized_email
from ticketing_auth.mail import Mail, MailDelivery, MailKind, MailQueue, Mails, message_id
from ticketing_auth.repository import UserRepository
from ticketing_common.entity import new_id, utc_now
from ticketing_testkit.waiting import until

from .conftest import MailServer, MakeDelivery, text_of
from .requested import ORDER, make_due, request, stored


async def test_a_requested_mail_arrives_once_as_text_and_html(
    mails: Mails, ann: User, delivery: MailDelivery, mail_server: MailServer
) -> None:
    mail_id = await request(mails, ann)

    await delivery.deliver_due()
    await delivery.deliver_due()

    (message,) = mail_server.received
    assert mail_server.recipients == ["ann@example.com"]
    assert message["Message-ID"] == message_id(mail_id, "tickets.example")
    assert message["From"] == "Ticketing <no-reply@tickets.example>"
    assert "The Tempest" in message["Subject"]
    assert "https://tickets.example/tickets/6b0400000000000000000002" in text_of(message)
    assert 'href="https://tickets.example/tickets/6b0400000000000000000002"' in text_of(message, "html")
    assert (await stored(mails))["state"] == "sent"


async def test_an_account_gets_its_mail_whatever_the_alphabet_of_its_address(
    mails: Mails, users: UserRepository, delivery: MailDelivery, mail_server: MailServer
) -> None:
    addresses = ["bücher@example.com", "bücher@exämple.com", "анна@example.com", "ann@xn--exmple-cua.com"]
    for address in addresses:
        user = User(email=normalized_email(address), password_hash="a hash")
        await users.add(user)
        await request(mails, user, fact=user.id)

    await delivery.deliver_due()

    assert sorted(mail_server.recipients) == sorted(addresses)
    assert sorted(str(message["To"]) for message in mail_server.received) == sorted(addresses)


async def test_two_workers_deliver_each_mail_once(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    facts = [f"order {number}" for number in range(40)]
    people = [User(email=f"p{number}@example.com", password_hash="x") for number in range(len(facts))]
    for person, fact in zip(people, facts, strict=True):
        await make_delivery()._users.add(person)
        await request(mails, person, fact)

    await asyncio.gather(*(make_delivery(connections=4).deliver_due() for _ in range(2)))

    assert sorted(mail_server.recipients) == sorted(person.email for person in people)


async def test_a_mail_claimed_by_a_worker_that_died_is_delivered_after_its_lease(
    mails: Mails, ann: User, queue: MailQueue, delivery: MailDelivery, mail_server: MailServer
) -> None:
    await request(mails, ann)
    claim = await queue.claim()
    assert claim is not None

    await delivery.deliver_due()
    assert mail_server.received == []

    await make_due(mails)  # its lease has ended
    await delivery.deliver_due()
    assert len(mail_server.received) == 1


async def test_a_late_failure_of_a_lost_claim_does_not_delay_the_new_one(
    mails: Mails, ann: User, queue: MailQueue
) -> None:
    await request(mails, ann)
    lost = await queue.claim()
    await make_due(mails)
    assert lost is not None
    assert await queue.claim() is not None
    before = await stored(mails)

    await queue.retry(lost, reason="too late")

    assert await stored(mails) == before


async def test_a_mail_is_given_up_visibly_when_its_time_is_over(
    mails: Mails, ann: User, delivery: MailDelivery, mail_server: MailServer, printed_logs: Callable[[], str]
) -> None:
    await request(mails, ann)
    await request(mails, ann, "another")
    await mails.collection.update_one({"_id": "hold_expired:an order"}, [{"$set": {"give_up_at": "$$NOW"}}])
    labels = {"kind": "hold_expired", "outcome": "given_up"}
    before = REGISTRY.get_sample_value("mails_total", labels) or 0

    await delivery.give_up_overdue()

    assert (await stored(mails))["state"] == "given_up"
    assert REGISTRY.get_sample_value("mails_total", labels) == before + 1
    assert "mail given up" in printed_logs()
    assert REGISTRY.get_sample_value("mails_queued") == 1
    await delivery.deliver_due()
    assert len(mail_server.received) == 1


async def test_an_account_gets_a_limited_number_of_mails_of_a_kind_in_an_hour(
    mails: Mails, ann: User, users: UserRepository, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    ben = User(email="ben@example.com", password_hash="x")
    await users.add(ben)
    for number in range(9):
        await request(mails, ann, f"order {number}")
    await request(mails, ben, "of Ben")
    labels = {"kind": "hold_expired", "outcome": "limited"}
    before = REGISTRY.get_sample_value("mails_total", labels) or 0
    # All in one hour, whatever the hour of this test is.
    await mails.collection.update_many(
        {}, [{"$set": {"requested_at": {"$dateTrunc": {"date": "$requested_at", "unit": "hour"}}}}]
    )

    await make_delivery(connections=1).deliver_due()

    assert sorted(mail_server.recipients) == ["ann@example.com"] * 5 + ["ben@example.com"]
    limited = await mails.collection.find({"state": "limited"}).to_list(None)
    assert [mail["attempts"] for mail in limited] == [1, 0, 0, 0]  # one command ended those behind the first
    assert (REGISTRY.get_sample_value("mails_total", labels) or 0) == before + 4


async def test_a_deleted_account_gets_no_mail(
    mails: Mails, users: UserRepository, ann: User, delivery: MailDelivery, mail_server: MailServer
) -> None:
    await mails.request(MailKind.HOLD_EXPIRED, user_id=new_id(), fact="of no account", values=ORDER)
    await request(mails, ann)
    ann.email = f"deleted:{ann.id}"
    await users.save(ann)

    await delivery.deliver_due()

    assert mail_server.steps == []
    assert await mails.collection.count_documents({"state": "dropped"}) == 2


async def test_a_mail_that_is_no_longer_wanted_is_dropped(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    async def unwanted(_mail: Mail, _user: User) -> Mapping[str, Any] | None:
        return None

    await mails.request(MailKind.RESET, user_id=ann.id, fact="a token")
    await make_delivery({MailKind.RESET: unwanted}).deliver_due()

    assert (await stored(mails, "reset:a token"))["state"] == "dropped"
    assert mail_server.received == []


async def test_a_secret_is_in_the_mail_and_nowhere_else(
    mails: Mails,
    ann: User,
    make_delivery: MakeDelivery,
    mail_server: MailServer,
    printed_logs: Callable[[], str],
) -> None:
    async def with_token(_mail: Mail, _user: User) -> Mapping[str, Any] | None:
        return {"token": "s3cret-t0ken", "minutes": 30}

    await mails.request(MailKind.RESET, user_id=ann.id, fact="a request")
    await make_delivery({MailKind.RESET: with_token}).deliver_due()

    assert "#token=s3cret-t0ken" in text_of(mail_server.received[0])
    assert "s3cret" not in str(await stored(mails, "reset:a request"))
    assert "s3cret" not in printed_logs()


async def test_values_that_cannot_be_made_are_tried_again(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    async def fails(_mail: Mail, _user: User) -> Mapping[str, Any] | None:
        raise ConnectionError("ann@example.com")

    await mails.request(MailKind.RESET, user_id=ann.id, fact="a request")
    await make_delivery({MailKind.RESET: fails}).deliver_due()

    assert (await stored(mails, "reset:a request"))["state"] == "queued"
    assert mail_server.received == []


@pytest.mark.parametrize("answers", [{"rcpt": ["550 no"]}, {"rcpt": ["450 no"]}, {"data": ["554 no"]}, {}])
async def test_an_address_is_never_logged(
    mails: Mails,
    ann: User,
    make_delivery: MakeDelivery,
    mail_server: MailServer,
    printed_logs: Callable[[], str],
    answers: dict[str, list[str]],
) -> None:
    """The server quotes it in its refusal; even the mask of the logs must have nothing to do."""
    mail_server.answers = answers
    mail_id = await request(mails, ann)

    await make_delivery().deliver_due()

    assert mail_id in printed_logs()
    assert "ann@" not in printed_logs()
    assert "(e-mail)" not in printed_logs()
    assert "ann@" not in str(await stored(mails))


async def test_a_stopping_worker_finishes_what_is_under_way_and_claims_nothing_more(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    mail_server.answers["data"] = ["hang"]
    await request(mails, ann, "first")
    await request(mails, ann, "second")
    delivery = make_delivery(connections=1)
    await delivery.on_timer("a mail")
    await until(lambda: not ("data" not in mail_server.steps))

    finishing = asyncio.create_task(delivery.finish(30))
    await asyncio.sleep(0)  # it has begun
    mail_server.released.set()
    await finishing

    assert sorted([mail["state"] async for mail in mails.collection.find()]) == ["queued", "sent"]


async def test_a_retried_mail_is_due_after_its_back_off(mails: Mails, ann: User, queue: MailQueue) -> None:
    await request(mails, ann)
    claim = await queue.claim()
    assert claim is not None
    await queue.retry(claim, reason="later")

    due = (await stored(mails))["next_at"] - claim.mail.requested_at
    assert timedelta(seconds=7) < due
    assert await queue.claim() is None


async def test_a_document_that_cannot_be_read_stops_no_other_mail(
    mails: Mails, users: UserRepository, ann: User, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    """Neither an account's document nor a mail's, which may be of a newer release."""
    broken = User(email="broken@example.com", password_hash="x")
    await users.add(broken)
    await users.collection.update_one({"_id": broken.id}, {"$set": {"version": "?"}})
    await request(mails, broken, fact="of a broken account")
    await request(mails, ann, fact="of a later kind")
    await mails.collection.update_one({"_id": {"$regex": "later kind"}}, {"$set": {"kind": "later"}})
    await make_due(mails)  # these are the first in the queue
    await request(mails, ann, fact="after them")

    delivery = make_delivery(connections=1)
    await delivery.deliver_due()
    assert mail_server.recipients == [ann.email]

    await mails.collection.update_many({"state": "queued"}, {"$set": {"give_up_at": utc_now() - timedelta(seconds=1)}})
    await delivery.give_up_overdue()
    assert await mails.collection.count_documents({"state": "given_up"}) == 2
