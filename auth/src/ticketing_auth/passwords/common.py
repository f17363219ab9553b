"""New passwords that an attacker tries first: the common ones, and the account's own e-mail."""

import runpy
import unicodedata
from importlib.metadata import distribution
from typing import Final

from pydantic import SecretStr

from ticketing_auth.errors import PasswordCommonError, PasswordIsEmailError

__all__ = ["CommonPasswords"]

SHORTEST: Final = 8
"""Shorter entries of the list cannot be new passwords anyway."""
CONTEXT_WORDS: Final = frozenset({"ticket", "tickets", "ticketing", "ticketingdev", "ticketmarket", "eventticket"})
"""Names of the product and of what it sells, which an attacker tries first here (OWASP ASVS 5.0, V6.2.11)."""


class CommonPasswords:
    """The 30,000 most common passwords of the package `zxcvbn` (MIT), of which 11,611 are long enough to matter.

    OWASP ASVS 5.0, 6.2.4 asks for the first 3,000 at least. Only the list is read. Importing the package would build
    its rankings of names and words as well, which take 14 MB and are not needed here.
    """

    def __init__(self) -> None:
        source = distribution("zxcvbn").locate_file("zxcvbn/frequency_lists.py")
        listed: list[str] = runpy.run_path(str(source))["FREQUENCY_LISTS"]["passwords"]
        self._passwords = frozenset(password for password in listed if len(password) >= SHORTEST)

    def check_new(self, password: SecretStr, *, email: str) -> None:
        """Accept a new password of the account with this e-mail (in its normal form).

        A context word is refused whatever digits and signs are around it or within it.

        Case, and spaces at both ends, do not make a password less common. Raises `PasswordCommonError` and
        `PasswordIsEmailError`. Existing passwords are not asked about: they still sign in.
        """
        text = unicodedata.normalize("NFC", password.get_secret_value()).strip().lower()
        if text in (email, email.partition("@")[0]):
            raise PasswordIsEmailError
        letters = "".join(character for character in text if character.isalpha())
        if text in self._passwords or letters in CONTEXT_WORDS:
            raise PasswordCommonError
