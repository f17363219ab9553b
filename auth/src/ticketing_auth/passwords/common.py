"""Refuses new passwords that attackers try first: common ones, and the account's own e-mail."""

import runpy
import unicodedata
from importlib.metadata import distribution
from typing import Final

from pydantic import SecretStr

from ticketing_auth.errors import PasswordCommonError, PasswordIsEmailError

SHORTEST: Final = 8
"""Shorter entries of the list cannot be new passwords."""
CONTEXT_WORDS: Final = frozenset({"ticket", "tickets", "ticketing", "ticketingdev", "ticketmarket", "eventticket"})
"""Names of the product and of what it sells, which attackers try first (OWASP ASVS 5.0, V6.2.11)."""


class CommonPasswords:
    """The 30,000 most common passwords of the package `zxcvbn` (MIT); 11,611 of them are long enough to be accepted.

    OWASP ASVS 5.0, 6.2.4 requires at least the first 3,000. Only the list is read: importing the package would also
    build its rankings of names and words, which take 14 MB and are not needed here.
    """

    def __init__(self) -> None:
        source = distribution("zxcvbn").locate_file("zxcvbn/frequency_lists.py")
        listed: list[str] = runpy.run_path(str(source))["FREQUENCY_LISTS"]["passwords"]
        self._passwords = frozenset(password for password in listed if len(password) >= SHORTEST)

    def check_new(self, password: SecretStr, *, email: str) -> None:
        """Check a new password of the account with this e-mail, which is in its normal form.

        A context word is refused with any digits and signs around it or within it. The check ignores case, and spaces
        at both ends. It does not apply to existing passwords, which stay valid.

        Raises `PasswordCommonError` and `PasswordIsEmailError`.
        """
        text = unicodedata.normalize("NFC", password.get_secret_value()).strip().lower()
        if text in (email, email.partition("@")[0]):
            raise PasswordIsEmailError
        letters = "".join(character for character in text if character.isalpha())
        if text in self._passwords or letters in CONTEXT_WORDS:
            raise PasswordCommonError
