"""Passwords: how they are hashed and verified, and which new ones are refused."""

from .common import CommonPasswords
from .hasher import NICENESS, PasswordHasher, Verdict

__all__ = ["NICENESS", "CommonPasswords", "PasswordHasher", "Verdict"]
