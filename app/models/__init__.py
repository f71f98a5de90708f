"""Every module beside this one is imported here, so that Alembic never misses a table."""

import importlib
import pkgutil
import re
from pathlib import Path

from sqlalchemy.exc import ArgumentError, InvalidRequestError
from sqlalchemy.orm import configure_mappers

from app.models.base import Base

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def _explain(said: str) -> str:
    """Of what SQLAlchemy says of a relationship without its other side: which line it is."""
    named = re.search(r"relationship (\w+)\.(\w+)", said)
    missing = re.search(r"Mapper\[(\w+)\(\w+\)\]' has no property '(\w+)'", said)
    for path in sorted(Path(__path__[0]).glob("*.py")):
        owner = ""
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if found := re.match(r"class (\w+)", line):
                owner = found[1]
            where = f"app/models/{path.name}:{number}: {line.strip()}"
            if named and owner == named[1] and re.match(rf"    {named[2]}: Mapped", line):
                return f"{where} - there is no foreign key to it: delete the line, or add the key."
            if missing and re.search(rf"Mapped\[.*\b{missing[1]}\b.*= relationship\(", line):
                other = f"{missing[1]} has no {missing[2]}"
                return f"{where} - {other}: delete the line, or add the other side."
    return said


# Now, and not at the first query: a feature that was copied by hand may have a line too many.
try:
    configure_mappers()
except (ArgumentError, InvalidRequestError) as _error:
    raise RuntimeError(_explain(str(_error))) from None

__all__ = ["Base"]
