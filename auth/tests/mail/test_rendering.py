from datetime import UTC, datetime
from typing import Any

import pytest
from jinja2 import TemplateError

from ticketing_auth.mail import Mail, MailKind, Renderer
from ticketing_auth.mail.rendering import ascii_address
from ticketing_common.entity import new_id, utc_now

from .conftest import SENDER, SITE, text_of

pytestmark = pytest.mark.unit

VALUES: dict[str, Any] = {
    "order_id": "6b0400000000000000000001",
    "ticket_id": "6b0400000000000000000002",
    "title": "The Tempest",
    "venue": "Old Mill Theatre",
    "starts_at": datetime(2026, 12, 24, 19, 30, tzinfo=UTC),
    "seats": 2,
    "total_cents": 123_450,
    "currency": "usd",
    "payment_failed": True,
    "token": "t0ken",
    "minutes": 30,
    "change": "on",
}

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% for x in y %}",
    "one\r\nBcc: everyone@example.com",
    "one\n\nYour account is locked. Sign in at https://evil.example",
    "one\u2028two\u2029three\x00\x1b[31m",
    "\u202eevil\u2066",
    "x" * 200,
    "ünï çødé 🎟️ مسرحية",
    "=?utf-8?q?fake?=",
    "\ud800 lone",
]


def mail(kind: MailKind, fact: str = "a fact") -> Mail:
    return Mail(id=f"{kind}:{fact}", kind=kind, user_id=new_id(), values=VALUES, attempts=1, requested_at=utc_now())


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(sender=SENDER, site=SITE)


@pytest.mark.parametrize("kind", MailKind)
def test_every_kind_has_a_subject_a_text_and_html_with_a_link(renderer: Renderer, kind: MailKind) -> None:
    message = renderer.message(mail(kind), VALUES, to="ann@example.com")

    assert message["Subject"]
    assert message["To"] == "ann@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert f"{SITE}/" in text_of(message)
    assert f'<a href="{SITE}/' in text_of(message, "html")
    assert "{" not in text_of(message)
    assert "None" not in text_of(message)


def test_each_change_of_the_second_factor_has_its_own_text(renderer: Renderer) -> None:
    changes = ("on", "off", "reset", "recovery_codes", "recovery_code_used", "blocked")
    kind = MailKind.SECOND_FACTOR
    mails = [renderer.message(mail(kind), {"change": change}, to="ann@example.com") for change in changes]
    assert len({message["Subject"] for message in mails}) == len(changes)
    assert all("If this was not you" in text_of(message) for message in mails)


@pytest.mark.parametrize("kind", [kind for kind in MailKind if kind not in (MailKind.VERIFY, MailKind.RESET)])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_is_one_line_of_text(renderer: Renderer, kind: MailKind, text: str) -> None:
    tame = renderer.message(mail(kind), VALUES, to="ann@example.com")
    message = renderer.message(mail(kind), {**VALUES, "title": text, "venue": text}, to="ann@example.com")

    assert sorted(message.keys()) == sorted(tame.keys())
    head = message.as_bytes().split(b"\r\n\r\n")[0]
    assert b"\nBcc" not in head
    assert text_of(message).count("\n\n") == text_of(tame).count("\n\n")
    assert text_of(message, "html").count("<p>") == text_of(tame, "html").count("<p>")
    for tag in ("<script", "<img"):
        assert tag not in text_of(message, "html")
    assert "49" not in message["Subject"]
    assert not set(text_of(message)) & set("\x00\x1b\r\u2028\u2029\u202e\u2066")
    assert head.isascii()


def test_a_plain_title_is_shown_as_it_is_in_text_and_escaped_in_html(renderer: Renderer) -> None:
    message = renderer.message(mail(MailKind.SOLD), {**VALUES, "title": "Magic & <Mirrors>"}, to="ann@example.com")

    assert "Magic & <Mirrors>" in message["Subject"]
    assert "Magic & <Mirrors>" in text_of(message)
    assert "Magic &amp; &lt;Mirrors&gt;" in text_of(message, "html")


def test_time_and_money_are_shown_with_their_units(renderer: Renderer) -> None:
    text = text_of(renderer.message(mail(MailKind.ORDER_COMPLETE), VALUES, to="ann@example.com"))
    assert "Thursday, 24 December 2026, 19:30 UTC" in text
    assert "1,234.50 USD" in text


def test_a_missing_value_is_an_error_and_not_an_empty_text(renderer: Renderer) -> None:
    with pytest.raises(TemplateError):
        renderer.message(mail(MailKind.RESET), {"minutes": 30}, to="ann@example.com")


@pytest.mark.parametrize("address", ["ann@example.com\r\nBcc: eve@example.com", "ann@example.com, eve@example.com"])
def test_an_address_with_more_than_one_recipient_is_refused(renderer: Renderer, address: str) -> None:
    with pytest.raises(ValueError):
        renderer.message(mail(MailKind.SOLD), VALUES, to=address)


def test_the_domain_of_an_address_is_sent_in_ascii() -> None:
    assert ascii_address("ann@exämple.com") == "ann@xn--exmple-cua.com"
    assert ascii_address("ann@example.com") == "ann@example.com"
    assert ascii_address("änn@example.com") == "änn@example.com"


def test_a_mail_has_the_same_message_id_at_every_attempt(renderer: Renderer) -> None:
    one, same, other = (
        renderer.message(mail(MailKind.SOLD, fact), VALUES, to="ann@example.com")["Message-ID"]
        for fact in ("one", "one", "other")
    )
    assert one == same != other
