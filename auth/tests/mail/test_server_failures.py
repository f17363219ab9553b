"""A mail server that is away, refuses, hangs, or breaks the connection."""

import pytest

from ticketing_auth.domain import User
from ticketing_auth.mail import MailDelivery, Mails
from ticketing_auth.mail import delivery as delivery_module
from ticketing_auth.mail import smtp as smtp_module

from .conftest import MailServer, MakeDelivery
from .requested import make_due, request, server_is_shown_as_available, stored


async def test_a_server_that_is_away_costs_nothing_but_time(
    mails: Mails, ann: User, delivery: MailDelivery, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(delivery_module, "LONGEST_PAUSE_SECONDS", 0.0)
    delivery._pause_seconds = 0.0
    await request(mails, ann)
    await mail_server.stop()

    for attempt in (1, 2, 3):
        await make_due(mails)
        await delivery.deliver_due()
        after = await stored(mails)
        assert (after["state"], after["attempts"]) == ("queued", attempt)
        assert not server_is_shown_as_available()

    await mail_server.start()
    await make_due(mails)
    await delivery.deliver_due()
    assert (await stored(mails))["state"] == "sent"
    assert server_is_shown_as_available()


async def test_while_the_server_is_away_few_mails_are_touched(
    mails: Mails, ann: User, delivery: MailDelivery, mail_server: MailServer
) -> None:
    delivery._pause_seconds = 600.0  # longer than this test
    for number in range(20):
        await request(mails, ann, f"order {number}")
    await mail_server.stop()

    for _ in range(5):
        await delivery.deliver_due()

    assert await mails.collection.count_documents({"attempts": {"$gt": 0}}) <= 2  # the number of connections


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("ehlo", "drop"),
        ("rcpt", "450 greylisted"),
        ("rcpt", "drop"),
        ("data", "451 try later"),
        ("data", "drop"),
        ("data", "421 shutting down"),
    ],
)
async def test_a_passing_failure_is_retried(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer, step: str, answer: str
) -> None:
    mail_server.answers[step] = [answer]
    await request(mails, ann)

    await make_delivery(connections=1).deliver_due()
    failed = await stored(mails)
    assert (failed["state"], failed["attempts"]) == ("queued", 1)
    assert mail_server.received == []

    await make_due(mails)
    await make_delivery(connections=1).deliver_due()
    assert (await stored(mails))["state"] == "sent"
    assert len(mail_server.received) == 1


@pytest.mark.parametrize(("step", "answer"), [("rcpt", "550 no such user"), ("data", "554 refused")])
async def test_a_refusal_for_good_ends_the_mail_and_not_the_connection(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer, step: str, answer: str
) -> None:
    mail_server.answers[step] = [answer]
    await request(mails, ann, "first")
    await request(mails, ann, "second")

    await make_delivery(connections=1).deliver_due()

    states = {mail["_id"]: mail["state"] async for mail in mails.collection.find()}
    assert sorted(states.values()) == ["refused", "sent"]
    assert mail_server.sessions == 1


async def test_a_refused_sender_is_no_fault_of_the_mail(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    mail_server.answers["mail"] = ["550 not you"]
    await request(mails, ann)

    await make_delivery(connections=1).deliver_due()

    assert (await stored(mails))["state"] == "queued"


async def test_a_server_that_hangs_does_not_hold_a_mail_for_ever(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_module, "DELIVERY_SECONDS", 0.3)
    mail_server.answers["data"] = ["hang"]
    await request(mails, ann)

    await make_delivery(connections=1).deliver_due()

    assert (await stored(mails))["reason"] == "timeout"
    monkeypatch.setattr(smtp_module, "DELIVERY_SECONDS", 60)
    await make_due(mails)
    await make_delivery(connections=1).deliver_due()
    assert (await stored(mails))["state"] == "sent"


async def test_a_mail_that_was_accepted_before_the_connection_broke_is_recognisable_when_it_comes_again(
    mails: Mails, ann: User, make_delivery: MakeDelivery, mail_server: MailServer
) -> None:
    mail_server.answers["data"] = ["250-then-drop"]
    await request(mails, ann)

    await make_delivery(connections=1).deliver_due()
    await make_due(mails)
    await make_delivery(connections=1).deliver_due()

    assert len(mail_server.received) == 2
    assert len({message["Message-ID"] for message in mail_server.received}) == 1
