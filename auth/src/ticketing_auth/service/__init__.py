"""The use cases of auth: sessions, and what an owner does with the account."""

from .account_mails import account_mails
from .accounts import AccountService, Export
from .code_check import CodeCheck
from .second_factor import Enrolment, SecondFactorService
from .sessions import AuthService

__all__ = [
    "AccountService",
    "AuthService",
    "CodeCheck",
    "Enrolment",
    "Export",
    "SecondFactorService",
    "account_mails",
]
