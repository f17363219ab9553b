"""Each function here violates one invariant by hand in a consistent marketplace."""

from . import accounts, checkins, money, projections, seats
from .bus import BUS_BREAKS, BreakBus
from .registry import BREAKS, Break

__all__ = ["BREAKS", "BUS_BREAKS", "Break", "BreakBus", "accounts", "checkins", "money", "projections", "seats"]
