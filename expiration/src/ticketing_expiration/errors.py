"""Errors of the expiration service."""

from ticketing_common.errors import ConflictError


class DeadlineTransitionError(ConflictError):
    """A change of status that the transition table does not allow."""

    def __init__(self, order_id: str, before: str, after: str) -> None:
        super().__init__(f"The deadline of order {order_id} cannot go from {before} to {after}.")
