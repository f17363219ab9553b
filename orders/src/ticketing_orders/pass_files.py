"""Passes in the formats of other programs: a QR code as SVG, and the event as an iCalendar file."""

from io import BytesIO
from typing import Final

import segno
from icalendar import Calendar, Event

from .domain import Order

MASK: Final = 3
"""Any of the eight is valid (ISO/IEC 18004). To compare all of them costs 17 ms of 23; codes look random, so none of
them gives the large areas of one colour that the comparison avoids."""


def qr_code(code: str) -> bytes:
    """The code as SVG, with error correction M (15 %), scalable, with the quiet zone of the standard.

    White is drawn too: scanners need the contrast also on a dark page.
    """
    image = BytesIO()
    segno.make_qr(code, error="m", mask=MASK, boost_error=False).save(image, kind="svg", omitsize=True, light="#fff")
    return image.getvalue()


def calendar_file(order: Order) -> bytes:
    """The event of a complete order with a time, as iCalendar (RFC 5545). How long it lasts is not known."""
    assert order.ticket.starts_at is not None  # noqa: S101 (the caller has checked it)
    event = Event()
    event.add("uid", f"{order.id}@ticketing")
    event.add("dtstamp", order.updated_at)
    event.add("dtstart", order.ticket.starts_at)
    event.add("summary", order.ticket.title)
    if order.ticket.venue:
        event.add("location", order.ticket.venue)
    numbers = ", ".join(map(str, sorted(order.seats)))
    event.add("description", f"{'Seat' if order.quantity == 1 else 'Seats'} {numbers}")
    calendar = Calendar()
    calendar.add("prodid", "-//Ticketing//Passes//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text
