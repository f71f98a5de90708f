"""Writes a migration of what is new in the models: `python -m ...autogenerate MESSAGE`

A process of its own, in the workshop, because it imports the models of the copy.
"""

import sys
from typing import Any

from alembic import command
from alembic.config import Config

from app.core.config import ROOT
from app.core.database import database


def main() -> None:
    config = Config(str(ROOT / "alembic.ini"))
    with database.engine.connect() as connection:  # SQLite in memory: see Workshop.python
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        command.revision(
            config, sys.argv[1], autogenerate=True, process_revision_directives=leave_out_empty
        )


def leave_out_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """What was mended may be what a migration has made long ago."""
    if directives[0].upgrade_ops.is_empty():
        directives.clear()


if __name__ == "__main__":
    main()
