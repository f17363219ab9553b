import ssl
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ticketing_auth.mail import SmtpServer
from ticketing_auth.mail.smtp import MailRefusedError, MailServerError, SmtpConnection
from ticketing_common.entity import utc_now

from .conftest import MailServer


def a_message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "us@example.com", "ann@example.com", "A subject"
    message.set_content("text")
    return message


async def deliver(
    url: str, *, tls_required: bool, tls: ssl.SSLContext | None = None, to: str = "a@example.com"
) -> None:
    server = SmtpServer.parse(url, tls_required=tls_required)
    async with SmtpConnection(server, local_hostname="example.com", tls=tls) as connection:
        await connection.deliver(a_message(), sender="us@example.com", recipient=to)


@pytest.mark.parametrize(
    ("url", "required", "expected"),
    [
        ("smtp://mail.example", True, ("mail.example", 587, False, True, None, None)),
        ("smtp://user:p%40ss@mail.example:2525", True, ("mail.example", 2525, False, True, "user", "p@ss")),
        ("smtps://user:pass@mail.example", True, ("mail.example", 465, True, False, "user", "pass")),
        ("smtps://user:pass@mail.example", False, ("mail.example", 465, True, False, "user", "pass")),
        ("smtp://localhost:1025", False, ("localhost", 1025, False, False, None, None)),
    ],
)
def test_an_address_says_how_the_connection_is_encrypted(
    url: str, required: bool, expected: tuple[str, int, bool, bool, str | None, str | None]
) -> None:
    server = SmtpServer.parse(url, tls_required=required)
    found = (server.host, server.port, server.implicit_tls, server.start_tls, server.user, server.password)
    assert found == expected


@pytest.mark.parametrize(
    "url", ["mail.example:25", "http://mail.example", "smtp://", "smtp://user:hidden@mail.example"]
)
def test_a_wrong_address_stops_the_start_and_is_not_shown(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        SmtpServer.parse(url, tls_required=False)
    assert "hidden" not in str(refused.value)


async def test_without_tls_nothing_is_sent_when_tls_is_required(mail_server: MailServer) -> None:
    with pytest.raises(MailServerError):
        await deliver(mail_server.url, tls_required=True)
    assert mail_server.received == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return file


@pytest.fixture
def tls_server(mail_server: MailServer, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> MailServer:
    """The mail server with STARTTLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    monkeypatch.setattr(
        mail_server, "_session", lambda: SMTP(mail_server, hostname="mail.example", tls_context=context)
    )
    return mail_server


async def test_starttls_encrypts_the_connection(tls_server: MailServer, certificate: Path) -> None:
    await tls_server.stop()
    await tls_server.start()
    await deliver(
        tls_server.url.replace("127.0.0.1", "localhost"),
        tls_required=True,
        tls=ssl.create_default_context(cafile=str(certificate)),
    )
    assert len(tls_server.received) == 1


async def test_a_certificate_that_is_not_trusted_ends_the_connection(tls_server: MailServer) -> None:
    await tls_server.stop()
    await tls_server.start()
    with pytest.raises(MailServerError):
        await deliver(tls_server.url, tls_required=True)
    assert tls_server.received == []


async def test_an_address_that_the_server_cannot_take_is_refused(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_server, "_session", lambda: SMTP(mail_server, hostname="mail.example"))
    await mail_server.stop()
    await mail_server.start()
    with pytest.raises(MailRefusedError):
        await deliver(mail_server.url, tls_required=False, to="änn@example.com")
