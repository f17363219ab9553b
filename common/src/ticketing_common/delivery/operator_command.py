"""Commands that an operator sends to a service over core NATS, as `ticketing resync` does."""

import json
from collections.abc import Awaitable, Callable
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from ticketing_common.errors import TicketingError
from ticketing_common.messaging import NatsConnection
from ticketing_common.telemetry import get_logger

log = get_logger(__name__)

END_SESSIONS: Final = "end_sessions.auth"
"""The subject on which auth takes an account's id, and ends its sessions. Only operators may publish to it."""
RESET_FACTOR: Final = "reset_factor.auth"
"""The subject on which auth takes an account's id, and turns its second factor off; for operators only, too."""
MAX_ARGUMENT: Final = 256


class OperatorRequests:
    """Receives the requests on one subject; one replica takes each request (queue group)."""

    def __init__(self, connection: NatsConnection, subject: str, *, service: str) -> None:
        self._connection = connection
        self._subject = subject
        self._service = service
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Subscribe to requests."""
        self._subscription = await self._connection.client.subscribe(
            self._subject, queue=self._service, cb=self._on_request
        )

    async def stop(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None and self._connection.connected:
            await self._subscription.unsubscribe()

    async def _on_request(self, request: Msg) -> None:
        raise NotImplementedError

    async def _answer(self, request: Msg, **report: object) -> None:
        if request.reply:
            await self._connection.client.publish(request.reply, json.dumps(report).encode())


class OperatorCommand(OperatorRequests):
    """`run` gets the text of the request, and returns what the operator reads. Its refusals are answered as errors."""

    def __init__(
        self, connection: NatsConnection, subject: str, run: Callable[[str], Awaitable[str]], *, service: str
    ) -> None:
        super().__init__(connection, subject, service=service)
        self._run = run

    async def _on_request(self, request: Msg) -> None:
        try:
            argument = request.data[:MAX_ARGUMENT].decode()
            answer = {"done": await self._run(argument)}
        except (TicketingError, ValueError) as error:
            answer = {"error": str(error)}
        except Exception as error:
            log.exception("operator's command failed", subject=self._subject)
            answer = {"error": repr(error)}
        await self._answer(request, **answer)
