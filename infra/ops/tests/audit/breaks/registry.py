"""The ways to violate an invariant in a consistent marketplace, each with the name of the invariant."""

from collections.abc import Callable

from ..marketplace import Marketplace

Break = Callable[[Marketplace], None]
BREAKS: list[tuple[str, Break]] = []


def breaks(invariant: str) -> Callable[[Break], Break]:
    """Register a function that violates this invariant and no other."""

    def register(make: Break) -> Break:
        BREAKS.append((invariant, make))
        return make

    return register
