"""A limit of wrong passwords, or of wrong codes, of each account."""

from datetime import datetime

from ticketing_auth.domain import GuessRules
from ticketing_auth.repository import Guess, PasswordGuesses
from ticketing_common.storage import DatabaseUnavailableError
from ticketing_common.telemetry import get_logger

log = get_logger(__name__)


class GuessLimit:
    """Counts a guess before it is checked, and removes it if it was right or was not checked. None: no limit."""

    def __init__(self, guesses: PasswordGuesses, rules: GuessRules | None) -> None:
        self._guesses = guesses
        self._rules = rules

    async def reserve(self, account: str, *, device_id: str | None) -> Guess | None:
        """The counted guess; if it is not `admitted`, it must not be checked."""
        if self._rules is None:
            return None
        return await self._guesses.reserve(account, self._rules, device_id=device_id)

    async def release(self, account: str, guess: Guess | None) -> None:
        """Remove a guess. If the database is unavailable, the guess stays counted, and no error is raised."""
        if guess is None:
            return
        try:
            await self._guesses.release(account, guess.id)
        except DatabaseUnavailableError as error:  # the guess is right all the same
            log.warning("right guess stays counted", error=repr(error))

    async def list_of(self, account: str) -> list[datetime]:
        """The times (UTC) of the account's counted guesses, for its owner."""
        return await self._guesses.list_of(account)
