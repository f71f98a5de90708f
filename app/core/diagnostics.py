"""The last errors and slow queries of a development server, kept for `python run.py describe`.

Two small files in `.run`, one JSON object a line: another process reads them, and they outlive a
restart. They hold no values: no parameters, and no message that may quote one.
"""

import inspect
import json
import logging
import re
import time
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from app.core.config import ROOT, Settings
from app.core.logging import request_id

FOLDER = ROOT / ".run"
ERRORS, QUERIES = "errors.jsonl", "queries.jsonl"
LARGEST = 200_000  # bytes of a file, before only its last lines are kept
KEPT = 100  # lines
LONGEST = 2000  # characters of a statement: an INSERT of a thousand rows is a long one

Note = dict[str, Any]


def last_errors(limit: int) -> list[Note]:
    """The newest first."""
    return _read(ERRORS)[: -limit - 1 : -1]


def slowest_queries(limit: int) -> list[Note]:
    """Each statement once, as slow as it was at its slowest, and how often it was slow."""
    slowest: dict[str, Note] = {}
    for note in _read(QUERIES):
        known = slowest.get(note["statement"], {"ms": 0, "times": 0})
        kept = note if note["ms"] > known["ms"] else known
        slowest[note["statement"]] = kept | {"times": known["times"] + 1}
    return sorted(slowest.values(), key=lambda note: -note["ms"])[:limit]


# --- Errors ----------------------------------------------------------------------------------


class ErrorNotes(logging.Handler):
    """Notes each exception that is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(error := record.exc_info[1], Exception):
            note_error(error, getattr(record, "operation", None))


def note_error(error: Exception, operation: str | None = None) -> None:
    frames = _ours(traceback.extract_tb(error.__traceback__))
    note: Note = {"type": type(error).__name__, "operation": operation, "said": _said(error)}
    if callable(details := getattr(error, "errors", None)):  # of Pydantic: where, and what kind
        note["fields"] = [{"loc": each["loc"], "type": each["type"]} for each in details()]
    _write(ERRORS, note | {"frames": frames[-8:]})


def _said(error: Exception) -> str | None:
    """The message, where it can only be about the code. Another one may quote what was sent."""
    about_code = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)
    if isinstance(error, DBAPIError):
        return _said_by_driver(str(error.orig), error.statement or "")
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '').name}, line {error.lineno}: {error.msg}"
    if isinstance(error, about_code) or (
        isinstance(error, SQLAlchemyError) and not isinstance(error, StatementError)
    ):
        return str(error).partition("\n")[0]
    return None


def _said_by_driver(said: str, statement: str) -> str:
    """The first line, as far as the first quoted word that is no name in the statement."""
    line = said.partition("\n")[0]
    names = set(re.findall(r"\w+", statement))
    for found in re.finditer(r"""["'`](.*?)(["'`]|$)""", line):
        if found[1] not in names:
            return f"{line[: found.start()]}…"
    return line


# --- Slow queries ----------------------------------------------------------------------------


def watch(engine: Engine, settings: Settings) -> None:
    """Note the statements that take long, those included that fail for it."""
    threshold = settings.slow_query_ms / 1000

    # On the context of the statement: `Connection.info` is a dictionary that has to be made.
    @event.listens_for(engine, "before_cursor_execute")
    def start(_c: Any, _cursor: Any, _s: str, _p: Any, context: Any, _many: bool) -> None:
        context.started = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def end(_c: Any, _cursor: Any, statement: str, _p: Any, context: Any, _many: bool) -> None:
        seconds = time.perf_counter() - context.started
        if seconds >= threshold:
            note_query(statement, seconds)

    @event.listens_for(engine, "handle_error")
    def fail(context: ExceptionContext) -> None:
        started = getattr(context.execution_context, "started", None)
        if started and (seconds := time.perf_counter() - started) >= threshold:
            note_query(context.statement or "", seconds, failed=True)


def note_query(statement: str, seconds: float, *, failed: bool = False) -> None:
    # Only the lines that are shown are read from their files: the stack is a hundred frames high.
    frames = traceback.walk_stack(inspect.currentframe())
    asked = _ours(traceback.StackSummary.extract(frames, lookup_lines=False))
    _write(
        QUERIES,
        {
            "ms": round(seconds * 1000),
            "statement": statement[:LONGEST],
            "asked_by": asked[0] if asked else None,
            "failed": failed,
        },
    )


# --- Files -----------------------------------------------------------------------------------


def _ours(frames: Iterable[traceback.FrameSummary]) -> list[str]:
    """The places in the features, or those in `app/core`, which all go through."""
    shown = [place for frame in frames if (place := _shown(frame))]
    return [place for place in shown if not place.startswith("app/core/")] or shown


def _shown(frame: traceback.FrameSummary) -> str | None:
    """A place in our own code, and the line that is there; None for that of a library."""
    path = Path(frame.filename)
    if not path.is_relative_to(ROOT / "app"):
        return None
    where = f"{path.relative_to(ROOT).as_posix()}:{frame.lineno}"
    return f"{where} in {frame.name}: {frame.line}"


def _write(name: str, note: Note) -> None:
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"at": moment, "request_id": request_id.get(), **note}, default=str)
    path = FOLDER / name
    try:
        FOLDER.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if path.stat().st_size > LARGEST:
            _keep(path, path.read_text("utf-8").splitlines()[-KEPT:])
    except OSError:
        pass  # a note is not worth a failed request


def _keep(path: Path, lines: Iterable[str]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    temporary.replace(path)


def _read(name: str) -> list[Note]:
    path = FOLDER / name
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    notes = []
    for line in lines:
        try:
            notes.append(json.loads(line))
        except ValueError:
            continue  # of two processes that wrote at once
    return notes
