"""What the commands print with."""

import traceback
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from app.core.root import ROOT

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class CommandError(Exception):
    """Something that a person can mend. Its message says how."""


class UsageError(CommandError):
    """What was typed means nothing: exit code 2."""


def explain(message: str) -> None:
    errors.print(f"[red]✗[/] {escape(message)}", soft_wrap=True)


def place_of(error: Exception) -> tuple[str, int, str]:
    """File, line and code of the fault: the last place of ours that led to it."""
    if isinstance(error, SyntaxError) and error.filename:
        path, line, code = Path(error.filename), error.lineno or 0, (error.text or "").strip()
    else:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT / "app")]
        frame = (ours or frames)[-1]
        path, line, code = Path(frame.filename), frame.lineno or 0, frame.line or ""
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return shown.as_posix(), line, code


def said_by(error: Exception) -> str:
    return str(error.msg if isinstance(error, SyntaxError) else error)
