# SPDX-License-Identifier: Apache-2.0
"""Structured logs to standard error.

Events and ids only: no text of a resident, no key, no token is ever passed to a log.
"""

import logging
import sys
from typing import Literal

import structlog

# What a careless call might carry; such a field is replaced, and a test logs each of them.
FORBIDDEN_FIELDS = frozenset(
    {"text", "body", "place", "name", "contact", "code", "token", "key", "password", "payload", "message"}
)


def _without_personal_data(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    for field in FORBIDDEN_FIELDS & event.keys():
        event[field] = "(withheld)"
    return event


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["text", "json"]) -> None:
    """Set up logging for the process."""
    renderer: structlog.typing.Processor
    if form == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_personal_data,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
