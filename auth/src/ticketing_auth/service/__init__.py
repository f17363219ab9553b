"""The use cases of auth: sessions, and what an owner does with the account."""

from .account_mails import account_mails
from .accounts import AccountService, Export
from .sessions import AuthService

__all__ = ["AccountService", "AuthService", "Export", "account_mails"]
