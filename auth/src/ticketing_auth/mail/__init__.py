"""Mail: requests are stored with their fact, and the worker renders and delivers them later."""

from .delivery import MailDelivery
from .kinds import RULES, Mail, MailKind, MailRules, Values
from .mails import Mails
from .orders import OrderMails, order_mails
from .queue import MailQueue
from .rendering import Renderer, message_id
from .smtp import SmtpServer

__all__ = [
    "RULES",
    "Mail",
    "MailDelivery",
    "MailKind",
    "MailQueue",
    "MailRules",
    "Mails",
    "OrderMails",
    "Renderer",
    "SmtpServer",
    "Values",
    "message_id",
    "order_mails",
]
