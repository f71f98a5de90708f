"""Logs on standard error: a readable line in development, one JSON object a line in production."""

import json
import logging
import logging.config
from contextvars import ContextVar
from datetime import UTC, datetime

from app.core.config import Settings

request_id: ContextVar[str] = ContextVar("request_id", default="-")

# What every record has; anything else was given by `extra=` and is shown.
_STANDARD = set(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}

_encode = json.JSONEncoder(default=str).encode


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **_extras(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode(line)


class ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        extras = "".join(f" {name}={value}" for name, value in _extras(record).items())
        line = f"{moment} {record.levelname:<7} {record.getMessage()}{extras}"
        # A client chooses paths and names: no escape sequence and no second line of theirs.
        line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure_logging(settings: Settings) -> None:
    formatter = JsonFormatter if settings.is_production else ConsoleFormatter
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"default": {"()": formatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "default"}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": {
                "app": {"level": settings.log_level},
                "uvicorn": {"level": settings.log_level, "handlers": [], "propagate": True},
                # Each request is logged by app.core.middleware, without its query string.
                "uvicorn.access": {"handlers": [], "propagate": False},
            },
        }
    )
    if settings.keeps_diagnostics:
        from app.core.diagnostics import ErrorNotes  # it needs `request_id`

        logging.getLogger().addHandler(ErrorNotes())  # the call above took the last one away
