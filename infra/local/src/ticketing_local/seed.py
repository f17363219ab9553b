"""Demo data, created through the public API as a seller does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from ticketing_ops.api import Api
from ticketing_ops.data_dir import DataDir, StackState

PASSWORD: Final = "demo tickets"  # noqa: S105 (a demo account on this machine, shown on the screen)
SELLER: Final = "seller@ticketing.dev"
BUYER: Final = "buyer@ticketing.dev"

_LISTINGS: Final = (
    ("Nina & the Northern Lights", "Blue Note Hall", 42.0, 9, "Second row, left of the stage. Two encores guaranteed."),
    ("City Derby: United v Rovers", "Harbour Stadium", 68.5, 12, "Block 114, row 7, next to the aisle."),
    ("The Tempest", "Old Mill Theatre", 31.0, 15, "Stalls, centre. The new production everybody talks about."),
    ("Jazz at the Docks", "Pier 9", 24.99, 6, "Standing, doors at seven. Bring a jacket."),
    ("Symphony No. 9", "Philharmonic Hall", 89.0, 21, "Parquet left, row 12. Choir of two hundred."),
    ("Comedy Night with Ada Lund", "The Cellar", 18.0, 4, "Small room, front tables. Expect to be talked to."),
    ("Winter Ballet Gala", "Opera House", 120.0, 33, "First balcony, clear view of the whole stage."),
    ("Indie Weekender: Saturday", "Riverside Park", 55.0, 40, "Day pass, three stages, camping not included."),
    ("Indie Weekender: Sunday", "Riverside Park", 55.0, 41, "Day pass, three stages, camping not included."),
    ("Basketball Cup Final", "Arena West", 75.0, 18, "Lower tier, behind the home bench."),
    ("An Evening of Chamber Music", "St. Anne's", 27.5, 11, "Unreserved seating in the nave."),
    ("Stand-up Marathon", "The Cellar", 22.0, 8, "Six comedians, one ticket."),
    ("Hamlet", "Old Mill Theatre", 35.0, 25, "Circle, front row."),
    ("Electronic Nights: Opening", "Warehouse 23", 29.0, 10, "Entry until 1 a.m."),
    ("Film & Live Score: Metropolis", "Philharmonic Hall", 48.0, 28, "The silent classic with a full orchestra."),
    ("Poetry Slam Finals", "Public Library", 9.5, 5, "Ten poets, the audience is the jury."),
    ("Rock the Quarry", "Quarry Arena", 64.0, 52, "Golden circle, standing."),
    (
        "Children's Concert: Peter and the Wolf",
        "Philharmonic Hall",
        14.0,
        13,
        "From four years. Sunday, eleven o'clock.",
    ),
    ("Tennis Open: Quarter-finals", "Centre Court", 95.0, 60, "Day session, shade from two o'clock."),
    ("Swing Dance Ball", "Grand Hotel", 38.0, 16, "Taster lesson at eight, band at nine."),
    ("Magic & Mirrors", "Variety Theatre", 33.0, 19, "Row 3. Watch closely."),
    ("Gospel Choir Christmas", "St. Anne's", 26.0, 30, "Warm coats recommended."),
    ("Street Food & Brass", "Market Square", 12.0, 7, "Includes one tasting."),
    ("Folk Songs by the Fire", "Lakeside Barn", 16.5, 14, "Blankets are there, bring a cup."),
)

_SEATS: Final = {
    "City Derby: United v Rovers": 12,
    "Jazz at the Docks": 200,
    "Indie Weekender: Saturday": 2_500,
    "Indie Weekender: Sunday": 2_500,
    "Electronic Nights: Opening": 600,
    "Rock the Quarry": 12_000,
    "Swing Dance Ball": 80,
    "Street Food & Brass": 3,
}
"""By title; the other listings are one seat."""


@dataclass(frozen=True, slots=True)
class DemoAccounts:
    """The demo accounts."""

    seller: str = SELLER
    buyer: str = BUYER
    password: str = PASSWORD


def seed(state: StackState, data: DataDir) -> DemoAccounts:
    """Create the two accounts and the listings, once per data directory; raises httpx's errors.

    An interrupted run can be repeated: a listing whose title exists is not created again.
    """
    accounts = DemoAccounts()
    if data.seeded.exists():
        return accounts
    with httpx.Client(timeout=20) as http:
        api = Api(http, state.addresses)
        api.account(BUYER, PASSWORD)
        seller = api.account(SELLER, PASSWORD)
        there = {ticket["title"] for ticket in api.pages("/api/tickets/mine", seller)}
        evening = datetime.now(UTC).replace(hour=19, minute=30, second=0, microsecond=0)
        for title, venue, price, days, description in _LISTINGS:
            if title not in there:
                starts_at = (evening + timedelta(days=days)).isoformat()
                body = {
                    "title": title,
                    "venue": venue,
                    "price": price,
                    "quantity": _SEATS.get(title, 1),
                    "description": description,
                    "startsAt": starts_at,
                }
                api.call("POST", "/api/tickets", seller, json=body).raise_for_status()
    data.seeded.touch()
    return accounts
