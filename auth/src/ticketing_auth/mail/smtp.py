"""Delivers messages to the mail server, and says what an error means for the mail."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

ANSWER_SECONDS: Final = 15.0
DELIVERY_SECONDS: Final = 40.0
"""Limits connection and delivery together. Less than a claim's lease, so no other worker sends it meanwhile."""
QUIT_SECONDS: Final = 1.0


class NotDeliveredError(Exception):
    """The mail was not accepted, or it is unknown whether it was; a later attempt may succeed.

    Its text has no answer of the server: that often quotes the recipient's address.
    """


class MailServerError(NotDeliveredError):
    """There is no usable connection to the mail server: no mail can be delivered now."""


class MailRefusedError(Exception):
    """The mail server refuses this mail for good. Its text has the reply code only."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The mail server. `user` and `password` are for SMTP AUTH, and only sent over TLS."""

    host: str
    port: int
    implicit_tls: bool
    start_tls: bool
    user: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str, *, tls_required: bool) -> Self:
        """`smtps://` is TLS from the start (RFC 8314), `smtp://` is STARTTLS, or plain if TLS is not required.

        Raises `ValueError`, whose text does not contain the URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("SMTP_URL must be smtp://[user:password@]host[:port] or smtps://…")
        implicit = parts.scheme == "smtps"
        start_tls = tls_required and not implicit
        if parts.username and not (implicit or start_tls):
            raise ValueError("SMTP_URL has a password, which is only sent over TLS: set SMTP_TLS=required")
        port = parts.port or (465 if implicit else 587 if start_tls else 25)
        return cls(
            host=parts.hostname,
            port=port,
            implicit_tls=implicit,
            start_tls=start_tls,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password or "") if parts.username else None,
        )


class SmtpConnection:
    """One connection, opened at the first mail and again after it broke. Deliver one mail at a time."""

    def __init__(self, server: SmtpServer, *, local_hostname: str, tls: ssl.SSLContext | None = None) -> None:
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.implicit_tls,
            start_tls=server.start_tls,
            tls_context=tls,
            local_hostname=local_hostname,  # the default would ask DNS
            timeout=ANSWER_SECONDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client.is_connected and error is None:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await asyncio.wait_for(self._client.quit(), QUIT_SECONDS)
        self._client.close()

    async def deliver(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """Return when the server has accepted the message.

        Raises `MailServerError`, `NotDeliveredError` and `MailRefusedError`.
        """
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._connect()
                await self._send(message, sender, recipient)
        except TimeoutError:
            self._client.close()
            raise NotDeliveredError("timeout") from None
        except asyncio.CancelledError:
            self._client.close()
            raise

    async def _connect(self) -> None:
        if self._client.is_connected:
            return
        try:
            await self._client.connect()
        except aiosmtplib.SMTPResponseException as error:  # a refusal of the session, of STARTTLS or of the password
            raise MailServerError(f"{type(error).__name__} {error.code}") from None
        except (aiosmtplib.SMTPException, OSError) as error:  # includes timeouts and errors of TLS
            raise MailServerError(type(error).__name__) from None

    async def _send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        try:
            await self._client.send_message(message, sender=sender, recipients=[recipient])
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code
            if 500 <= code < 600:
                raise MailRefusedError(f"recipient {code}") from None
            raise NotDeliveredError(f"recipient {code}") from None
        except aiosmtplib.SMTPDataError as error:
            if 500 <= error.code < 600:
                raise MailRefusedError(f"content {error.code}") from None
            raise NotDeliveredError(f"content {error.code}") from None
        except aiosmtplib.SMTPNotSupported:  # the address needs SMTPUTF8
            raise MailRefusedError("the server does not support this address") from None
        except aiosmtplib.SMTPResponseException as error:  # of the sender, or 421: not a fault of this mail
            self._client.close()
            raise MailServerError(f"{type(error).__name__} {error.code}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            self._client.close()
            raise NotDeliveredError(type(error).__name__) from None
