"""Renders a mail: one template for each kind gives the subject, the text and the HTML."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from email_validator import validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ticketing_common.money import decimal_text

from .kinds import Mail

TEMPLATES: Final = Path(__file__).parent / "templates"
LONGEST_SUBJECT: Final = 150
_REORDERING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REPLACED: Final = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}
"""By Unicode category: controls and line breaks end no line here, and a lone surrogate cannot be encoded."""
_BLANK_LINES: Final = re.compile(r"\n\s*\n")


class Renderer:
    """Makes the message of a mail. `sender` is the From header, `site` the origin of the links."""

    def __init__(self, *, sender: str, site: str) -> None:
        name, address = parseaddr(sender)
        self._sender = Address(display_name=name, addr_spec=address)
        self._site = site.rstrip("/")
        self._text = self._environment(escape=False)
        self._html = self._environment(escape=True)

    @property
    def sender(self) -> str:
        """The address of the envelope."""
        return self._sender.addr_spec

    @property
    def domain(self) -> str:
        """The domain of the sender."""
        return self._sender.domain

    def message(self, mail: Mail, values: Mapping[str, Any], *, to: str) -> EmailMessage:
        """The message to the address `to`.

        Texts of users are in `values`: each becomes one line without control characters, so it can neither start a
        paragraph nor a header, and the HTML is escaped. Raises `jinja2.TemplateError` if a value is missing, and
        `ValueError` if `to` is not one address.
        """
        values = {name: _one_line(value) for name, value in values.items()}
        template = f"{mail.kind}.jinja"
        subject, _, text = self._text.get_template(template).render(values).strip().partition("\n")
        _, _, html = self._html.get_template(template).render(values).strip().partition("\n")
        paragraphs = [Markup(one.strip()) for one in _BLANK_LINES.split(html) if one.strip()]  # noqa: S704 (escaped)
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = _recipient(to)
        message["Subject"] = _shortened(subject)
        message["Date"] = format_datetime(mail.requested_at.astimezone(UTC))
        message["Message-ID"] = message_id(mail.id, self.domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice in reply
        message.set_content(self._text.get_template("layout.txt.jinja").render(text=_joined(text), site=self._site))
        page = self._html.get_template("layout.html.jinja").render(
            subject=subject, paragraphs=paragraphs, site=self._site
        )
        message.add_alternative(page, subtype="html")
        return message

    def _environment(self, *, escape: bool) -> Environment:
        environment = Environment(  # the text is not HTML, and must not be escaped as such
            loader=FileSystemLoader(TEMPLATES),
            autoescape=escape,  # noqa: S701
            undefined=StrictUndefined,
            trim_blocks=True,
            auto_reload=False,  # the templates are part of the package
        )
        environment.globals |= {"link": self._html_link if escape else self._text_link, "site": self._site}
        environment.filters |= {"money": _money, "moment": _moment}
        return environment

    def _text_link(self, path: str, label: str) -> str:
        return f"{label}:\n{self._site}{path}"

    def _html_link(self, path: str, label: str) -> Markup:
        return Markup('<a href="{}">{}</a>').format(self._site + path, label)


def message_id(mail_id: str, domain: str) -> str:
    """The Message-ID of a mail: the same at every attempt, so that a repeated delivery is recognisable."""
    return f"<{sha256(mail_id.encode()).hexdigest()[:32]}@{domain}>"


def ascii_address(email: str) -> str:
    """The address with an ASCII domain (RFC 5890), and as it is when its local part needs SMTPUTF8 (RFC 6531)."""
    return validate_email(email, check_deliverability=False, test_environment=True).ascii_email or email


def _recipient(to: str) -> Address:
    """The address of the header. `Address` parses ASCII only, so the parts of another address are given one by one."""
    if to.isascii():
        return Address(addr_spec=to)
    valid = validate_email(to, check_deliverability=False, test_environment=True)
    return Address(username=valid.local_part, domain=valid.domain)


def _one_line(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    visible = (_REPLACED.get(unicodedata.category(one), one) for one in value)
    return " ".join("".join(one for one in visible if one not in _REORDERING).split())


def _shortened(subject: str) -> str:
    return subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…"


def _joined(text: str) -> str:
    return "\n\n".join(one.strip() for one in _BLANK_LINES.split(text) if one.strip())


def _money(cents: int, currency: str) -> str:
    return f"{decimal_text(cents)} {currency.upper()}"


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%A, %d %B %Y, %H:%M} UTC"
