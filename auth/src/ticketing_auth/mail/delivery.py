"""Delivers the mails that are due: claim, render, send, record."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from ticketing_auth.domain import User
from ticketing_auth.repository import UserRepository
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import consumer_span, get_logger, metrics

from .kinds import Mail, MailKind, Values
from .queue import Claim, MailQueue
from .rendering import Renderer, ascii_address
from .smtp import MailRefusedError, MailServerError, NotDeliveredError, SmtpConnection, SmtpServer

log = get_logger(__name__)

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
OUTCOMES: Final = ("sent", "retried", "refused", "given_up", "dropped", "limited")


async def stored_values(mail: Mail, _user: User) -> Mapping[str, Any] | None:
    """The values that were stored with the request."""
    return mail.values


class MailDelivery:
    """Delivers mails over up to `connections` connections at a time.

    `values` has a function for each kind whose values are made when the mail is rendered. While the mail server is
    away, one mail for each connection is tried after each pause, which grows to a minute; the others are not touched.
    """

    def __init__(
        self,
        queue: MailQueue,
        users: UserRepository,
        renderer: Renderer,
        server: SmtpServer,
        *,
        values: Mapping[MailKind, Values],
        connections: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._queue = queue
        self._users = users
        self._renderer = renderer
        self._server = server
        self._values = values
        self._connections = connections
        self._tls = tls
        self._delivering = asyncio.Lock()
        self._asked_again = False
        self._stopping = False
        self._woken: set[asyncio.Task[None]] = set()
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._paused_until = 0.0
        metrics.init_series(metrics.MAILS, *((kind.value, outcome) for kind in MailKind for outcome in OUTCOMES))
        metrics.MAIL_SERVER_AVAILABLE.set(1)

    async def on_timer(self, _mail_id: str) -> timedelta | None:
        """A mail was requested: start to deliver all that are due.

        The timer does not wait for them: arq cancels a job that takes long, and a cancelled delivery may be repeated.
        """
        task = asyncio.create_task(self.deliver_due())
        self._woken.add(task)
        task.add_done_callback(self._on_delivered)
        return None

    def _on_delivered(self, task: asyncio.Task[None]) -> None:
        self._woken.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("delivery failed, the sweep retries", error=type(error).__name__)

    async def deliver_due(self) -> None:
        """Deliver every mail that is due. One call runs at a time; a concurrent call makes it look once more."""
        self._asked_again = True
        if self._delivering.locked():
            return
        async with self._delivering:
            while self._asked_again and self._may_deliver():
                self._asked_again = False
                await self._in_parallel()

    async def give_up_overdue(self) -> None:
        """End mails whose time is over, and update the metrics of the queue."""
        for mail in await self._queue.give_up_overdue():
            log.error("mail given up", mail_id=mail.id, user_id=mail.user_id, attempts=mail.attempts)
            _count(mail, "given_up")
        state = await self._queue.state()
        metrics.MAILS_QUEUED.set(state.queued)
        metrics.MAILS_OLDEST.set(state.oldest_seconds)

    async def finish(self, seconds: float) -> None:
        """Claim no more mails, and wait for those under way, at most `seconds`."""
        self._stopping = True
        try:
            async with asyncio.timeout(seconds), self._delivering:
                pass
        except TimeoutError:  # those mails are due again when their lease ends
            log.warning("mails still under way at the end")
        await cancel_and_wait(*self._woken)

    def _may_deliver(self) -> bool:
        return not self._stopping and time.monotonic() >= self._paused_until

    async def _in_parallel(self) -> None:
        runs = [asyncio.create_task(self._deliver_one_by_one()) for _ in range(self._connections)]
        try:
            await asyncio.wait(runs)  # an error of one must not cancel the deliveries of the others
        finally:
            await cancel_and_wait(*runs)
        for run in runs:
            run.result()

    async def _deliver_one_by_one(self) -> None:
        connection = SmtpConnection(self._server, local_hostname=self._renderer.domain, tls=self._tls)
        async with connection:
            while self._may_deliver() and (claim := await self._queue.claim()):
                with consumer_span("deliver mail", claim.mail.traceparent, {"messaging.system": "smtp"}):
                    await self._deliver(claim, connection)

    async def _deliver(self, claim: Claim, connection: SmtpConnection) -> None:
        """Deliver one mail and record the outcome. Only the database's errors are raised."""
        mail = claim.mail
        fields = {"mail_id": mail.id, "user_id": mail.user_id, "attempt": mail.attempts}
        if await self._queue.exceeds_limit(mail):
            _count(mail, "limited", await self._queue.end_limited(mail))
            return
        try:
            user = await self._users.find(mail.user_id)
            if user is None or "@" not in user.email:  # the account was deleted
                await self._end(claim, "dropped", reason="no account")
                return
            values = await self._values.get(mail.kind, stored_values)(mail, user)
            if values is None:
                await self._end(claim, "dropped", reason="no longer wanted")
                return
            recipient = ascii_address(user.email)
            message = self._renderer.message(mail, values, to=recipient)
            await connection.deliver(message, sender=self._renderer.sender, recipient=recipient)
        except MailRefusedError as error:
            log.error("mail refused", reason=str(error), **fields)
            await self._end(claim, "refused", reason=str(error))
        except NotDeliveredError as error:
            self._note_server(available=not isinstance(error, MailServerError))
            log.warning("mail not delivered, retried", reason=str(error), **fields)
            await self._retry(claim, str(error))
        except Exception as error:
            # Of the values or the template. The texts of such errors may have data of the account, so only the type is
            # logged.
            log.error("mail not rendered, retried", reason=type(error).__name__, **fields)
            await self._retry(claim, type(error).__name__)
        else:
            self._note_server(available=True)
            await self._end(claim, "sent")
            log.info("mail sent", **fields)

    async def _end(self, claim: Claim, state: str, *, reason: str | None = None) -> None:
        if await self._queue.end(claim, state, reason=reason):
            _count(claim.mail, state)

    async def _retry(self, claim: Claim, reason: str) -> None:
        await self._queue.retry(claim, reason=reason)
        _count(claim.mail, "retried")

    def _note_server(self, *, available: bool) -> None:
        metrics.MAIL_SERVER_AVAILABLE.set(available)
        if available:
            self._pause_seconds = FIRST_PAUSE_SECONDS
        elif time.monotonic() >= self._paused_until:  # the first of several connections that failed together
            self._paused_until = time.monotonic() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)


def _count(mail: Mail, outcome: str, mails: int = 1) -> None:
    metrics.MAILS.labels(mail.kind.value, outcome).inc(mails)
