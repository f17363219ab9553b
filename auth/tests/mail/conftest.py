"""Fixtures: a mail server that fails on demand, the queue of mails, and the parts that deliver them."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TypeAlias

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from ticketing_auth.domain import User
from ticketing_auth.mail import MailDelivery, MailKind, MailQueue, Mails, Renderer, SmtpServer, Values, order_mails
from ticketing_auth.repository import UserRepository
from ticketing_common.storage import Database

SITE = "https://tickets.example"
SENDER = "Ticketing <no-reply@tickets.example>"

MakeDelivery: TypeAlias = Callable[..., MailDelivery]


class MailServer:
    """A real SMTP server in this process. `answers` replaces its next replies, one for each step of that name.

    An answer is a reply, `drop` (the connection is closed), or `hang` (no answer comes until `released`). In the step
    `data` it may also be `250-then-drop` or `accept-then-hang`: the mail is kept, and the answer does not arrive.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: dict[str, list[str]] = {}
        self.steps: list[str] = []
        self.sessions = 0
        self.released = asyncio.Event()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Refuse connections from now on, and end those that hang."""
        self.released.set()
        if self._server is not None:
            self._server.close()
            self._server = None

    def _session(self) -> SMTP:
        self.sessions += 1
        return SMTP(self, hostname="mail.example", enable_SMTPUTF8=True)

    async def _answer(self, step: str, server: SMTP) -> str | None:
        self.steps.append(step)
        answers = self.answers.get(step, [])
        answer = answers.pop(0) if answers else None
        if answer == "drop":
            _close(server)
        if answer == "hang":
            await self.released.wait()
            return None
        return answer

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's names)
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        answer = await self._answer("ehlo", server)
        return [answer] if answer else responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := await self._answer("mail", server):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if answer := await self._answer("rcpt", server):
            return f"{answer} <{address}>"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await self._answer("data", server)
        if answer in (None, "250-then-drop", "accept-then-hang"):
            content = envelope.content
            assert isinstance(content, bytes)
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.received.append(message)
            self.recipients += envelope.rcpt_tos
        if answer == "250-then-drop":
            _close(server)
        if answer == "accept-then-hang":
            await self.released.wait()
            return "250 OK"
        return answer or "250 OK"


def _close(server: SMTP) -> None:
    assert server.transport is not None
    server.transport.close()


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    """The text of a message, or its HTML."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    server = MailServer()
    await server.start()
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the server's own log, which has addresses
    yield server
    await server.stop()


@pytest.fixture
async def mails(database: Database) -> Mails:
    stored = Mails(database["mails"])
    await stored.ensure_indexes()
    return stored


@pytest.fixture
async def queue(mails: Mails) -> MailQueue:
    return MailQueue(mails.collection)


@pytest.fixture
async def ann(users: UserRepository) -> User:
    user = User(email="ann@example.com", password_hash="a hash")
    await users.add(user)
    return user


@pytest.fixture
def make_delivery(queue: MailQueue, users: UserRepository, mail_server: MailServer) -> MakeDelivery:
    """Makes the part that delivers, as one worker has it."""

    def make(values: Mapping[MailKind, Values] | None = None, connections: int = 2) -> MailDelivery:
        return MailDelivery(
            queue,
            users,
            Renderer(sender=SENDER, site=SITE),
            SmtpServer.parse(mail_server.url, tls_required=False),
            values={**order_mails(queue), **(values or {})},
            connections=connections,
        )

    return make


@pytest.fixture
def delivery(make_delivery: MakeDelivery) -> MailDelivery:
    return make_delivery()
