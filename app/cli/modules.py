"""The commands that are programs of their own: pytest, the faults, the evals."""

import os
import subprocess
import sys

from app.core.root import ROOT


def run_tests(options: list[str], database: str | None) -> int:
    """options: of pytest. database: instead of SQLite in memory."""
    environment = {**os.environ, "ENVIRONMENT": "test"}
    environment.pop("TEST_DATABASE_URL", None)
    if database:
        from app.cli.testing import prepare  # SQLAlchemy: half a second that only this one needs

        environment["TEST_DATABASE_URL"] = prepare(database)
    return run_module("pytest", *options, environment=environment)


def run_module(name: str, *arguments: str, environment: dict[str, str] | None = None) -> int:
    """Its exit code. Ctrl-C is left to it: it has something to say at its end.

    `subprocess.call` would kill it a quarter of a second later, and its failures with it.
    """
    command = [sys.executable, "-m", name, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
