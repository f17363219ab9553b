"""The mail worker: renders and delivers the mails that are due, triggered by timers and by a sweep.

    python -m ticketing_auth.worker

An arq job runs within a tenth of a second after a request for a mail. The sweep runs every second and needs no Redis.
Both deliver everything that is due, and each mail is claimed first, so any number of workers may run.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.timers import TimerWorker
from ticketing_common.web.worker_app import create_worker_app, lower_priority, serve_worker

from .mail import MailDelivery, MailQueue, Mails, Renderer, SmtpServer, order_mails
from .repository import OneTimeTokens, UserRepository
from .service import account_mails
from .settings import MAIL_QUEUE, WorkerSettings

SWEEP_SECONDS: Final = 1.0
GIVE_UP_SECONDS: Final = 5.0
FINISH_SECONDS: Final = 3.0
NICENESS: Final = 5


def create_worker(settings: WorkerSettings) -> FastAPI:
    """The worker as an application whose only routes are /healthz, /readyz and /metrics.

    Ready means that the indexes exist. Neither Redis nor the mail server is checked: mails wait until they are back.
    Raises `ValueError` for a wrong SMTP_URL.
    """
    server = SmtpServer.parse(settings.smtp_url.get_secret_value(), tls_required=settings.smtp_tls == "required")
    renderer = Renderer(sender=settings.mail_from, site=settings.public_url)

    @asynccontextmanager
    async def work(runtime: ServiceRuntime) -> AsyncIterator[None]:
        users = UserRepository(runtime.outbox("users"))
        mails = runtime.collection("mails")
        queue = MailQueue(mails)
        tokens = OneTimeTokens(runtime.collection("one_time_tokens"))
        runtime.add_stores(users, tokens, Mails(mails))
        values = {**order_mails(queue), **account_mails(tokens)}
        delivery = MailDelivery(queue, users, renderer, server, values=values, connections=settings.mail_connections)
        worker = TimerWorker(
            settings.redis_url.get_secret_value(),
            ca_file=settings.internal_ca_file,
            queue=MAIL_QUEUE,
            on_timer=delivery.on_timer,
            periodic={delivery.deliver_due: SWEEP_SECONDS, delivery.give_up_overdue: GIVE_UP_SECONDS},
        )
        runtime.start()
        async with worker.running():
            try:
                yield
            finally:
                await delivery.finish(FINISH_SECONDS)

    return create_worker_app(settings, title="Mail worker", work=work)


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    # When thousands of holds end at one instant, their mails can wait for the processes that answer requests.
    lower_priority(NICENESS)
    settings = WorkerSettings()
    serve_worker(create_worker(settings), settings)


if __name__ == "__main__":
    main()
