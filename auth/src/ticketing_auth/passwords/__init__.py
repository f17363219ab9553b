"""Hashing and verification of passwords, and the check of new ones."""

from .common import CommonPasswords
from .hasher import NICENESS, PasswordHasher, Verdict

__all__ = ["NICENESS", "CommonPasswords", "PasswordHasher", "Verdict"]
