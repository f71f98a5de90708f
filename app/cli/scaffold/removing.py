"""`python run.py remove`"""

import time
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, table
from sqlalchemy.exc import DBAPIError

from app.cli.console import CommandError, console
from app.cli.scaffold.changes import Changes, tell
from app.cli.scaffold.features import Feature, dependents, find_feature, shipped
from app.cli.scaffold.history import revision_before, undoable, unrecorded
from app.cli.scaffold.project import Project
from app.cli.scaffold.rendering import AS_TIGHT, ruff
from app.cli.scaffold.sides import remove_sides, sides_in
from app.cli.scaffold.stopping import uninterrupted
from app.cli.scaffold.workshop import Workshop
from app.cli.schema import connect, current, migrate, reason
from app.core import database
from app.core.config import ROOT, get_settings


def remove_features(
    copy: Workshop, names: list[str], *, examples: bool, force: bool, dry_run: bool
) -> None:
    """Take features away: files, other sides, tables."""
    started = time.perf_counter()
    project = Project(ROOT)
    if examples == bool(names):
        raise CommandError("Name the features to remove, or write --examples.")
    leaving = shipped(project) if examples else [find_feature(project, name) for name in names]
    if not leaving:
        raise CommandError("There are no examples any more.")
    check(project, leaving, force)
    migrates = get_settings().migrates_on_start and not dry_run
    rows = 0
    if migrates:
        connect()
        check_database(leaving)
        rows = count_rows(leaving)
    undone = undoable(set().union(*(each.tables for each in leaving)))
    changes = build(project, leaving, copy, undone, "the examples" if examples else "")
    if dry_run:
        print(changes.diff(), end="")
        return
    copy.check_import()
    copy.test("tests/test_access.py", "-k", "has_a_row")
    with uninterrupted():
        said = apply(changes, undone, migrates=migrates)
        tell(changes)
    if said:
        console.print(said)
    gone = ", ".join(each.model.cls for each in leaving)
    verb = "is" if len(leaving) == 1 else "are"
    lost = f" with {rows:,} row{'' if rows == 1 else 's'}" if rows else ""
    console.print(f"[bold]{gone}[/] {verb} gone{lost}, in {time.perf_counter() - started:.1f} s.")


def check_database(leaving: list[Feature]) -> None:
    """Find out now what would stop the tables from being dropped later."""
    tables = set().union(*(each.tables for each in leaving))
    with database.database.read_engine.connect() as connection:
        for (_, name), keys in inspect(connection).get_multi_foreign_keys().items():
            referred = {key["referred_table"] for key in keys} & tables
            if referred and name not in tables:
                raise CommandError(
                    f"In the database, the table {name} refers to {min(referred)}. "
                    "Drop it first, or its foreign key."
                )


def count_rows(leaving: list[Feature]) -> int:
    """How many rows the database has of them."""
    tables = set().union(*(each.tables for each in leaving))
    with database.database.read_engine.connect() as connection:
        there = tables.intersection(inspect(connection).get_table_names())
        counts = (select(func.count()).select_from(table(name)) for name in there)
        return sum(connection.scalar(each) or 0 for each in counts)


def check(project: Project, leaving: list[Feature], force: bool) -> None:
    left = dependents(project, leaving)
    blocking = [path for path in left if not force or path.is_relative_to(ROOT / "app")]
    if blocking:
        needed = [each.name for each in leaving if set(dependents(project, [each])) & set(blocking)]
        shown = ", ".join(path.relative_to(ROOT).as_posix() for path in blocking[:5])
        more = f" and {len(blocking) - 5} more" if len(blocking) > 5 else ""
        refer = "still refers to" if len(blocking) == 1 else "still refer to"
        raise CommandError(f"{shown}{more} {refer} {' and '.join(needed)}. Remove that first.")
    lost = [path for each in leaving for path in unrecorded(each.files)]
    if lost and not force:
        shown = ", ".join(sorted(path.relative_to(ROOT).as_posix() for path in lost))
        raise CommandError(f"git has not recorded {shown}. Commit, or remove it with --force.")


def build(
    project: Project, leaving: list[Feature], copy: Workshop, undone: list[Path], what: str = ""
) -> Changes:
    """Take them out of the copy; what that changes in the tree, the routers first."""
    changes = Changes(project.root)
    dropping = None if undone else _dropping(leaving, copy, what)  # while the models are there
    files = [path for each in leaving for path in each.files]
    edited = [path for path in _models(project) if path not in files]
    for path in files:
        copy.remove(path)
    for path in edited:
        source = copy.here(path).read_text("utf-8")
        for cls in (cls for each in leaving for cls in each.classes):
            if sides_in(source, cls):
                source = remove_sides(source, cls)
        if source != copy.here(path).read_text("utf-8"):
            copy.here(path).write_text(source, "utf-8", newline="\n")
            ruff(copy.root, [copy.here(path)])
    for path in sorted(files, key=lambda path: path.parent.name == "models"):
        changes.add(path, None)
    for path in edited:
        changes.add(path, copy.here(path).read_bytes())
    for path in undone:
        copy.remove(path)
        changes.add(path, None)
    if dropping:
        changes.add(ROOT / dropping.relative_to(copy.root), dropping.read_bytes())
    return changes


def _dropping(leaving: list[Feature], copy: Workshop, what: str) -> Path:
    """The migration that drops their tables."""
    what = what or " and ".join(each.model.names.many for each in leaving)
    tables = set().union(*(each.tables for each in leaving))
    path = copy.migration("drop", f"remove {what}", tables)
    ruff(copy.root, [path], *AS_TIGHT)
    # It has imported what goes now. Another one gets ready while that is taken away.
    copy.end()
    copy.start()
    return path


def _models(project: Project) -> list[Path]:
    return sorted((project.root / "app/models").glob("*.py"))


def apply(changes: Changes, undone: list[Path], *, migrates: bool) -> str:
    """Files first, then the database: a server that reloads in between has no route to the table.

    A migration that is undone is deleted last, because undoing it needs it.
    """
    versions = ROOT / "alembic/versions"
    rest = Changes(ROOT, [each for each in changes.each if each.path not in undone])
    last = Changes(ROOT, [each for each in changes.each if each.path in undone])
    said = ""
    with rest.applied():
        try:
            if migrates and undone and _is_applied(undone):
                said = migrate(revision_before(undone))
            elif migrates and not undone and any(c.path.parent == versions for c in rest.each):
                said = migrate()
        except DBAPIError as error:
            raise CommandError(f"The migration fails: {reason(error)}.") from None
        with last.applied():
            pass
    return said


def _is_applied(undone: list[Path]) -> bool:
    """Whether the database has one of these migrations."""
    from alembic.config import Config

    script = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
    known = {Path(each.path): each.revision for each in script.walk_revisions()}
    return current() in {known[path] for path in undone}
