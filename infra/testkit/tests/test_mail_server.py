import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from ticketing_testkit.inbox import Inbox
from ticketing_testkit.servers import MailServer, running

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with running(MailServer(tmp_path / "mail")) as server:
        yield server


def send(server: MailServer, subject: str = "A subject", text: str = "A text", html: str | None = None) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "us@example.com", "ann@example.com", subject
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", server.smtp_port) as smtp:
        smtp.send_message(message)


def test_a_mail_is_listed_and_shown_and_kept_over_a_restart(server: MailServer) -> None:
    send(server, "first", "See https://tickets.example/a?b=1&c=2 soon.")
    send(server, "second")
    server.restart()

    with httpx.Client(base_url=server.url) as http:
        listed = http.get("/mails.json").json()
        assert [mail["subject"] for mail in listed] == ["second", "first"]
        assert http.get("/mails.json", params={"to": "ben@example.com"}).json() == []
        index = http.get("/").text
        assert index.index("second") < index.index("first")
        page = http.get(f"/mails/{listed[1]['id']}").text
        assert '<a href="https://tickets.example/a?b=1&amp;c=2" target="_blank"' in page
        assert http.get("/mails/00000000000000000000-000000").status_code == 404
        assert http.get("/mails/..%2f..%2fetc%2fpasswd").status_code == 404


def test_what_a_mail_contains_cannot_run_on_the_page(server: MailServer) -> None:
    send(server, HOSTILE, f"{HOSTILE} https://x.example/'\"><b>", f"<p>{HOSTILE}</p>")

    with httpx.Client(base_url=server.url) as http:
        (mail,) = http.get("/mails.json").json()
        for path in ("/", f"/mails/{mail['id']}"):
            shown = http.get(path)
            assert HOSTILE not in shown.text
            assert "<b>" not in shown.text
            assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
        assert 'sandbox="allow-popups' in http.get(f"/mails/{mail['id']}").text
        html = http.get(f"/mails/{mail['id']}/html")
        assert HOSTILE in html.text
        sandbox = html.headers["Content-Security-Policy"]
        assert sandbox.startswith("sandbox")
        assert "allow-scripts" not in sandbox
        assert "allow-same-origin" not in sandbox


@pytest.mark.parametrize(
    "malformed",
    [
        b"Content-Type: text/plain; charset=unknown-8\r\n\r\ntext",
        b"To: \xff\xfe@x\r\nSubject: \xff\r\nDate: never\r\nMessage-ID: <<>>[\r\n\r\n\xff",
        b"From: \r\nTo: ,,,;\r\nContent-Transfer-Encoding: base64\r\n\r\n!",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno parts",
        b"",
    ],
)
def test_a_malformed_mail_does_not_hide_the_others(tmp_path: Path, malformed: bytes) -> None:
    inbox = Inbox(tmp_path)
    inbox.add(malformed)
    inbox.add(b"Subject: well-formed\r\n\r\ntext")

    newest, oldest = (
        (*map(mail.header, ("From", "To", "Subject", "Date", "Message-ID")), mail.body("plain"), mail.body("html"))
        for mail in inbox.mails(10)
    )

    assert newest == ("", "", "well-formed", "", "", "text", None)
    assert len(oldest) == len(newest)


def test_another_host_name_is_refused(server: MailServer) -> None:
    send(server)
    assert httpx.get(f"{server.url}/mails.json", headers={"Host": "evil.example"}).status_code == 421
    assert httpx.get(f"http://localhost:{server.port}/mails.json").status_code == 200


def test_the_oldest_mails_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketing_testkit.inbox.MOST", 3)
    inbox = Inbox(tmp_path)
    stored = [inbox.add(b"Subject: x\r\n\r\ntext") for _ in range(5)]
    assert inbox.ids() == stored[:1:-1]
