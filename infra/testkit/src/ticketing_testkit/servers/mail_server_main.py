"""Runs the local mail server: `python -m … SMTP_PORT INBOX_PORT DIRECTORY`, on loopback only."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from ticketing_testkit.inbox import Inbox, StoredMail

SHOWN: Final = 200
LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'"
MAIL_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)
_LINK: Final = re.compile(r"https?://[^\s<>\"']+")


class Receiver:
    """The handler of aiosmtpd: stores each mail before it is acknowledged."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the mail."""
        content = envelope.content or b""
        await asyncio.to_thread(self._inbox.add, content if isinstance(content, bytes) else content.encode())
        return "250 OK"


class Pages:
    """The pages of the inbox. Texts of a mail are escaped; its HTML is shown in a sandboxed frame without scripts."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def index(self, _request: web.Request) -> web.Response:
        """The newest mails."""
        mails = await asyncio.to_thread(self._inbox.mails, SHOWN)
        rows = "".join(
            f"<tr><td>{mail.received_at:%d %b %H:%M:%S}</td><td>{escape(mail.header('To'))}</td>"
            f'<td><a href="/mails/{mail.id}">{escape(mail.header("Subject")) or "(no subject)"}</a></td></tr>'
            for mail in mails
        )
        empty = "" if mails else "<p>No mail yet.</p>"
        head = "<tr><th>received (UTC)</th><th>to</th><th>subject</th></tr>"
        return _page("Inbox", f"{empty}<table>{head}{rows}</table>" if mails else empty)

    async def listed(self, request: web.Request) -> web.Response:
        """The newest mails as JSON, for programs; `?to=` selects one recipient."""
        mails = await asyncio.to_thread(self._inbox.mails, SHOWN)
        to = request.query.get("to")
        return web.json_response(
            [
                {**mail.facts(), "text": mail.body("plain") or ""}
                for mail in mails
                if to is None or mail.header("To") == to
            ],
            headers=_headers(PAGE_POLICY),
        )

    async def mail(self, request: web.Request) -> web.Response:
        """One mail: its headers and its text, and its HTML in a frame."""
        mail = await self._find(request)
        facts = "".join(
            f"<tr><th>{name}</th><td>{escape(mail.header(name))}</td></tr>"
            for name in ("From", "To", "Subject", "Date", "Message-ID")
        )
        text = _linked(mail.body("plain") or "(no text)")
        frame = (
            f'<h2>HTML</h2><iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="HTML of the mail" '
            f'src="/mails/{mail.id}/html"></iframe>'
            if mail.body("html") is not None
            else ""
        )
        back = '<p><a href="/">All mails</a></p>'
        return _page(mail.header("Subject"), f"{back}<table>{facts}</table><h2>Text</h2><pre>{text}</pre>{frame}")

    async def html(self, request: web.Request) -> web.Response:
        """The HTML of a mail, for the frame. The policy sandboxes it also when it is opened directly."""
        mail = await self._find(request)
        body = mail.body("html")
        if body is None:
            raise web.HTTPNotFound
        return web.Response(text=body, content_type="text/html", headers=_headers(MAIL_POLICY))

    async def _find(self, request: web.Request) -> StoredMail:
        mail = await asyncio.to_thread(self._inbox.find, request.match_info["id"])
        if mail is None:
            raise web.HTTPNotFound
        return mail


def inbox_app(inbox: Inbox) -> web.Application:
    """The application of the inbox."""
    pages = Pages(inbox)
    app = web.Application(middlewares=[_local_only])
    app.router.add_get("/", pages.index)
    app.router.add_get("/mails.json", pages.listed)
    app.router.add_get("/mails/{id}", pages.mail)
    app.router.add_get("/mails/{id}/html", pages.html)
    return app


@web.middleware
async def _local_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse other host names: a page of the internet could point its name to this machine (DNS rebinding)."""
    if request.url.host not in LOCAL_NAMES:
        raise web.HTTPMisdirectedRequest
    return await handler(request)


def _page(title: str, body: str) -> web.Response:
    style = (
        "body{font-family:sans-serif;margin:2em;max-width:70em}@media(max-width:40em){body{margin:1em}}"
        "td,th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0;overflow-wrap:anywhere}"
        "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:1em}iframe{width:100%;height:30em}"
    )
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return web.Response(text=text, content_type="text/html", headers=_headers(PAGE_POLICY))


def _headers(content_policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": content_policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _linked(text: str) -> str:
    """The text escaped, with links that open in another tab."""
    parts: list[str] = []
    end = 0
    for found in _LINK.finditer(text):
        address = escape(found.group())
        link = f'<a href="{address}" target="_blank" rel="noopener noreferrer">{address}</a>'
        parts += [escape(text[end : found.start()]), link]
        end = found.end()
    return "".join((*parts, escape(text[end:])))


def main(smtp_port: int, inbox_port: int, directory: Path) -> None:
    """Serve until a signal."""
    inbox = Inbox(directory)
    app = inbox_app(inbox)

    async def receive(_app: web.Application) -> AsyncIterator[None]:
        def session() -> SMTP:
            return SMTP(Receiver(inbox), hostname="localhost", enable_SMTPUTF8=True)

        server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", smtp_port)
        yield
        server.close()

    app.cleanup_ctx.append(receive)
    web.run_app(app, host="127.0.0.1", port=inbox_port, print=lambda _line: None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
