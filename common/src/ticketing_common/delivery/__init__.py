"""Getting events from one service's database into another's, whatever breaks on the way."""

from .backbone import Backbone
from .consumer import Consumer
from .dead_letters import DeadLetter, DeadLetters
from .progress import ConsumerProgress
from .relay import Relay
from .subscription import Handler, Subscription
from .tail import Tail

__all__ = [
    "Backbone",
    "Consumer",
    "ConsumerProgress",
    "DeadLetter",
    "DeadLetters",
    "Handler",
    "Relay",
    "Subscription",
    "Tail",
]
