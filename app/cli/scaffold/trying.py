"""A Python in the workshop: it writes the migration, imports the app, runs the tests.

One process for all of it, started before there is anything to try, and before the copy is made: to
import FastAPI, SQLAlchemy and pytest takes longer than all that `new` does besides. Of `app`, only
this module is there at first. It reads requests, `["test", "tests/"]`, one a line, and answers each
with `[whether it went well, what was said]`. An empty line, which has no answer, tells that the
copy is made.
"""

import gc
import importlib
import io
import json
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

LIBRARIES = (
    *("sqlalchemy.orm", "sqlalchemy.dialects.sqlite", "pydantic_settings"),
    *("alembic.autogenerate", "alembic.command", "fastapi"),
)


def main() -> None:
    # What a child or a test prints is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    gc.disable()  # it ends soon, and most of what is made here stays until then
    for name in (*LIBRARIES, *sys.argv[1:]):
        importlib.import_module(name)
    for line in sys.stdin:
        if not line.strip():  # the copy is made
            import_core()
            continue
        name, *arguments = json.loads(line)
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            try:
                REQUESTS[name](*arguments)
                well = True
            except (Exception, SystemExit):
                traceback.print_exc()
                well = False
        print(json.dumps([well, said.getvalue()]), file=answers, flush=True)


def import_core() -> None:
    """What features stand on, whichever there are."""
    importlib.invalidate_caches()  # the folders were all but empty when they were looked at
    import app.core
    import tests  # noqa: F401 - before the core, because it sets the environment of the settings

    for module in pkgutil.iter_modules(app.core.__path__):
        if module.name not in ("http_protocol", "postgresql"):  # a server's, and a driver's
            importlib.import_module(f"app.core.{module.name}")


def write_migration(kind: str, message: str, *tables: str) -> None:
    from app.cli.scaffold import migrating

    migrating.write_migration(message, set(tables), drops=kind == "drop")


def write_columns(description: str) -> None:
    from app.cli.scaffold import altering, columns

    altering.write_columns(columns.Columns(**json.loads(description)))


def import_app(*features: str) -> None:
    """And describe the routes of these; those of all would take a third of the time of `new`."""
    from app.core.openapi import document_of

    importlib.import_module("app.main")
    for plural in features:
        document_of(importlib.import_module(f"app.api.{plural}").router)


def run_tests(*arguments: str) -> None:
    import pytest

    if pytest.main(list(arguments)):
        raise SystemExit("They fail.")


REQUESTS: dict[str, Callable[..., Any]] = {
    "migration": write_migration,
    "columns": write_columns,
    "import": import_app,
    "test": run_tests,
}

if __name__ == "__main__":
    main()
