"""The workload of a call, the deadline of its request, and the cancellation of tasks."""

from .cancellation import cancel_and_wait
from .deadline import time_left, until
from .workload import PerWorkload, background, empty_context, in_background

__all__ = [
    "PerWorkload",
    "background",
    "cancel_and_wait",
    "empty_context",
    "in_background",
    "time_left",
    "until",
]
