"""Where the database and the settings stand, as `python run.py describe` tells it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from app.cli.schema import current, reason
from app.core.config import ROOT, Settings, get_settings

Told = dict[str, Any]


def describe_migrations() -> Told:
    """Where the database is, and what it lacks. One that does not answer is told, no error."""
    script = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
    told: Told = {"heads": list(script.get_heads()), "current": [], "pending": [], "problem": None}
    path = Path(get_settings().url.database or "")
    if get_settings().url.get_backend_name() == "sqlite" and not path.exists():
        # Connecting would make the file.
        told["problem"] = f"There is no {path.name} yet: python run.py migrate"
    else:
        try:
            told["current"] = [each for each in current().split(", ") if each]
        except DBAPIError as error:
            told["problem"] = f"The database does not answer: {reason(error)}"
    told["pending"] = [
        {"revision": each.revision, "says": each.doc, "file": Path(each.path).name}
        for each in reversed(list(_pending(script, told["current"])))
    ]
    return told


def _pending(script: ScriptDirectory, applied: list[str]) -> Iterator[Any]:
    try:
        done = {each.revision for each in script.iterate_revisions(tuple(applied), "base")}
    except Exception:
        done = set(applied)  # of another branch: there is no way from it to here
    return (each for each in script.walk_revisions() if each.revision not in done)


def describe_settings(settings: Settings) -> Told:
    """Without secrets: of those, only whether they are set."""
    shown: Told = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if name == "database_url":
            shown[name] = settings.shown_url
        elif field.repr:
            shown[name] = value
        else:
            shown[name] = "set" if value else "not set"
    return shown
