"""What `python run.py ...` can do."""

import gc
import io
import os
import sys

from pydantic_core import ValidationError  # pydantic itself takes longer to import


def run() -> int:
    """Run the command line. Settings that are wrong are told in one line each."""
    # What is imported stays: looking through it each 700 objects would be a tenth of every start.
    gc.set_threshold(50_000)
    say_utf8()
    try:
        from app.cli.main import cli

        return cli()
    except ValidationError as error:
        if error.title != "Settings":
            raise
        for each in error.errors():
            name = ".".join(str(part) for part in each["loc"]).upper()
            message = each["msg"].removeprefix("Value error, ")
            print(f"✗ {name} {message}".replace("  ", " "), file=sys.stderr)
        return 1
    finally:
        leave()


def say_utf8() -> None:
    """A pipe on Windows has an encoding of its time, in which ✓ and ✗ are both `?`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            piped = not stream.isatty() and "PYTHONIOENCODING" not in os.environ
            stream.reconfigure(encoding="utf-8" if piped else None, errors="replace")


def leave() -> None:
    """Close the database, so that SQLite leaves one file; and take nothing apart.

    To look through all that was imported when the process ends would take half a second.
    """
    if module := sys.modules.get("app.core.database"):
        module.database.dispose()
    gc.freeze()
