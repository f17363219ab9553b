"""Mail: requests are stored with their fact, and the worker renders and delivers them later."""

from .kinds import RULES, Mail, MailKind, MailRules, Values
from .mails import Mails

__all__ = ["RULES", "Mail", "MailKind", "MailRules", "Mails", "Values"]
