"""Records all commits outside the system under test, and compares them with the data of every service."""

from collections.abc import Iterable, Mapping

from ticketing_common.events import TicketData

__all__ = ["Ledger"]

SHOWN = 3


class Ledger:
    """Every commit acknowledged to its writer: the newest state of each ticket, and each version."""

    def __init__(self) -> None:
        self.newest: dict[str, TicketData] = {}
        self.versions: set[tuple[str, int]] = set()

    def __len__(self) -> int:
        return len(self.versions)

    def note(self, state: TicketData) -> None:
        """Record an acknowledged commit. The commits of one ticket may be recorded in any order."""
        assert (state.id, state.version) not in self.versions, "two commits at one version"
        self.versions.add((state.id, state.version))
        known = self.newest.get(state.id)
        if known is None or known.version < state.version:
            self.newest[state.id] = state

    def differences(self, who: str, held: Mapping[str, TicketData]) -> list[str]:
        """Differences between `held`, the data of `who`, and the commits: missing, unknown, or another state."""
        return [
            *_line(who, "does not have", self.newest.keys() - held.keys()),
            *_line(who, "has what was never committed:", held.keys() - self.newest.keys()),
            *(
                f"{who} holds v{held[key].version} of {key} ({held[key]}), committed was v{state.version} ({state})"
                for key, state in self.newest.items()
                if key in held and held[key] != state
            ),
        ]

    def unpublished(self, published: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """Commits that the stream does not hold."""
        return self.versions - set(published)


def _line(who: str, what: str, ids: set[str]) -> list[str]:
    shown = ", ".join(sorted(ids)[:SHOWN])
    return [f"{who} {what} {len(ids)} tickets: {shown}{', …' if len(ids) > SHOWN else ''}"] if ids else []
