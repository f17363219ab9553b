"""Hashing and verification of passwords, and the check of new ones."""

from .breached import BreachedPasswords
from .common import CommonPasswords
from .hasher import NICENESS, PasswordHasher, Verdict

__all__ = ["NICENESS", "BreachedPasswords", "CommonPasswords", "PasswordHasher", "Verdict"]
