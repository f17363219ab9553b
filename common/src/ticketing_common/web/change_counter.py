"""A version number for cached data: changes with every commit and event."""

from collections.abc import Callable


class ChangeCounter:
    """Counts this replica's commits and the events of all replicas.

    Two equal versions mean that no change between them is known. This is certain for this replica's own commits, and
    delayed by event delivery for those of other replicas.
    """

    def __init__(self) -> None:
        self._count = 0
        self._is_valid: Callable[[], bool] = lambda: False

    def note(self, *_what: object) -> None:
        """Count a change, or a possible change."""
        self._count += 1

    def valid_while(self, is_valid: Callable[[], bool]) -> None:
        """`version` returns None while `is_valid` is False, that is, while events do not arrive."""
        self._is_valid = is_valid

    def version(self) -> int | None:
        """The current version, to compare with an earlier one; None while it is unknown."""
        return self._count if self._is_valid() else None
