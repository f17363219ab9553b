"""Structured logs: one JSON object a line, with the service and the trace, and no personal data."""

import logging
import re
import sys
from typing import Any, Final

import structlog

from .trace_context import current_trace_id

_MARKS: Final = ("@", "eyJ", "_secret_", "sk_", "whsec_")
"""Every value to hide contains one of these; lines without any skip the patterns."""
_PERSONAL: Final = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "(e-mail)"),
    (re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]+)+"), "(token)"),
    (re.compile(r"pi_\w+_secret_\w+|\bsk_(?:test|live)_\w+|\bwhsec_\w+"), "(key)"),
)
_JSON: Final = structlog.processors.JSONRenderer()


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger. Use a fixed text and fields: `log.info("order held", order_id=…)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _add_trace(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    trace_id = current_trace_id()
    if trace_id:
        event["trace_id"] = trace_id
    return event


def _render(logger: object, method: str, event: structlog.typing.EventDict) -> str:
    """Render as JSON, and mask personal data and secrets.

    Our log calls contain ids only. But the text of an unexpected error may quote data: a duplicate key, an invalid
    body.
    """
    line = str(_JSON(logger, method, event))
    if any(mark in line for mark in _MARKS):
        for pattern, instead in _PERSONAL:
            line = pattern.sub(instead, line)
    return line


def configure_logging(*, service: str, level: str) -> None:
    """Write all logs, including those of libraries, to standard output as JSON lines."""

    def add_service(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        _add_trace,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("pymongo", "nats", "httpx", "httpcore", "stripe", "arq", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for uvicorn in ("uvicorn", "uvicorn.error"):
        logging.getLogger(uvicorn).handlers.clear()
        logging.getLogger(uvicorn).propagate = True
