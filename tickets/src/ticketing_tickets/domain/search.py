"""The search for tickets, and how words are compared."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ticketing_common.events import TicketStatus


class TicketSort(StrEnum):
    """How a list is ordered; a minus means descending. Tickets without a date come last in both orders by date."""

    NEWEST = "newest"
    OLDEST = "oldest"
    PRICE = "price"
    PRICE_FALLING = "-price"
    STARTS_AT = "startsAt"
    STARTS_AT_FALLING = "-startsAt"


@dataclass(frozen=True, kw_only=True)
class TicketSearch:
    """Which tickets to find, in which order.

    Bounds are inclusive. `words` are folded, and each must be the beginning of a word of the ticket. An empty tuple
    matches nothing, and None matches everything.
    """

    words: tuple[str, ...] | None = None
    min_price_cents: int | None = None
    max_price_cents: int | None = None
    starts_from: datetime | None = None
    starts_to: datetime | None = None
    statuses: tuple[TicketStatus, ...] = (TicketStatus.AVAILABLE,)
    sort: TicketSort = TicketSort.NEWEST

    @property
    def unbegun(self) -> bool:
        """Whether listings are left out once their event has begun, since they can no longer be held."""
        return self.statuses == (TicketStatus.AVAILABLE,)


_WORD: Final = re.compile(r"[^\W_]+")
_STROKES: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that are often typed without their stroke, and that Unicode does not decompose."""


def words_of(text: str) -> list[str]:
    """The words of a text as the search compares them: each once, without case and accents (`Émile` is `emile`)."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return list(dict.fromkeys(_WORD.findall("".join(letters).casefold().translate(_STROKES))))
