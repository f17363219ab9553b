"""Whether anything may have changed since a moment."""

from collections.abc import Callable

__all__ = ["ChangeCounter"]


class ChangeCounter:
    """Counts what is committed here and what is heard of from the other replicas.

    Two marks that are the same say that nothing is known to have changed between them: of this replica's own commits
    that is certain, of the others' as certain as their news is quick.
    """

    def __init__(self) -> None:
        self._count = 0
        self._is_valid: Callable[[], bool] = lambda: False

    def note(self, *_what: object) -> None:
        """Something has changed, or may have."""
        self._count += 1

    def valid_while(self, is_valid: Callable[[], bool]) -> None:
        """Marks are given only while this says that news arrives."""
        self._is_valid = is_valid

    def version(self) -> int | None:
        """For comparing with an earlier one; None while nothing can be said."""
        return self._count if self._is_valid() else None
