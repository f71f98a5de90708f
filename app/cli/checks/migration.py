"""Migration: what the scripts make is what the models say; there, back and there again.

What runs them is imported in the rules: Alembic takes a sixth of a second, and a process that
judges the app alone needs it for nothing.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.cli.checks.rules import Fault, Fix, Needs, Point, rule
from app.cli.checks.sources import imported
from app.cli.checks.tree import Tree
from app.cli.scaffold.git import git

VERSIONS = "alembic/versions"
WRITE_ONE = 'run alembic revision --autogenerate -m "..." and read what it wrote'


@rule("R06", Point.MIGRATION, "The migrations make what the models say", Needs.MODELS)
def in_step(tree: Tree) -> Iterator[Fault]:
    """All migrations are run on a new database, which is then compared with the models, names of
    check constraints included (Alembic itself does not look at those). A difference is a column
    that the code selects and production does not have. `--fix` writes the migration."""
    from app.cli.checks.journey import travel

    journey = travel(tree)
    adds = all(map(_only_adds, journey.diffs))
    new = {diff[1].name for diff in journey.diffs if diff[0] == "add_table"}
    for diff in journey.diffs:
        table, column, what = _told(diff)
        if table in new and diff[0] != "add_table":
            continue  # its indexes come with it
        file, line = tree.place_of(table, column)
        fix = Fix("migration", f"{table} {column}".rstrip()) if adds else None
        yield Fault(file, line, f"{what}: no migration does that", _remedy(diff), fix=fix)
    for table, name in journey.missing:
        file, line = tree.place_of(table)
        what = f"constraint {name} of {table} is in no migration"
        remedy = f"write one: `batch_op.create_check_constraint(op.f({name!r}), ...)` and its drop"
        yield Fault(file, line, what, remedy)


@rule("R07", Point.MIGRATION, "Each migration goes up, down and up again", Needs.MODELS)
def reversible(tree: Tree) -> Iterator[Fault]:
    """On the day when a release is taken back, `downgrade` is all there is. Each one is run on a
    new database and has to leave tables, columns, indexes and keys as they were before its upgrade;
    then all of them go up once more."""
    from app.cli.checks.journey import scripts_of, travel

    journey = travel(tree)
    if journey.broken:
        file, line, error = journey.broken
        yield Fault(file, line, f"it fails: {error}", "mend it: it was run on an empty database")
    for revision, what in journey.left.items():
        script = scripts_of(tree).get_revision(revision)
        file = Path(script.path).relative_to(tree.root).as_posix()
        functions = tree.sources.by_name[file].functions
        line = functions["downgrade"].lineno if "downgrade" in functions else 1
        yield Fault(file, line, f"its downgrade leaves {what}", "undo all that upgrade() does")


@rule("R08", Point.MIGRATION, "There is one newest migration", Needs.MODELS)
def one_head(tree: Tree) -> Iterator[Fault]:
    """Two migrations after the same one, as when two branches were merged: `migrate` does not know
    where to go, and no server starts."""
    from app.cli.checks.journey import scripts_of

    scripts = scripts_of(tree)
    heads = [scripts.get_revision(each) for each in scripts.get_heads()]
    if len(heads) > 1:
        *others, newest = sorted(heads, key=lambda head: head.path)
        file = Path(newest.path).relative_to(tree.root).as_posix()
        before = ", ".join(head.revision for head in others)
        yield Fault(
            file,
            tree.sources.by_name[file].line_of_value("down_revision"),
            f"{newest.revision} is a second head beside {before}",
            f"set its down_revision to {before!r}; or `alembic merge heads` if both were applied",
        )


@rule("R09", Point.MIGRATION, "A migration that others have stays as it is", Needs.SOURCES)
def unedited(tree: Tree) -> Iterator[Fault]:
    """Who has applied a migration never applies it again: an edit reaches new databases only, and
    from then on there are two kinds of production. Compared is the code, without comments and form,
    with what the remote's main branch has; without a remote, with the last commit."""
    base, is_remote = _published()
    if base is None:
        return
    for name in (
        git("diff", "--name-only", "--no-renames", base, "--", VERSIONS) or ""
    ).splitlines():
        if git("cat-file", "-e", f"{base}:{name}") is None:
            continue  # it is new
        source = tree.sources.by_name.get(name)
        if source is None:
            if is_remote and name.endswith(".py"):
                remedy = f"bring it back: git checkout {base} -- {name}"
                yield Fault(name, 1, f"it is gone, and {base} has it", remedy)
            continue
        before = git("show", f"{base}:{name}") or ""
        if line := _first_change(before, source.text):
            yield Fault(
                name,
                line,
                f"it was edited since {base}",
                f"bring it back (git checkout {base} -- {name}) and write a new migration",
            )


@rule("R10", Point.MIGRATION, "A migration stands alone", Needs.SOURCES)
def alone(tree: Tree) -> Iterator[Fault]:
    """It says what to do on a day in the past. What it imports from `app` changes, and with it what
    the migration does: plain `sa` types, and tables described where they are used."""
    for source in tree.sources.below(VERSIONS):
        for node in source.import_lines:
            for module in imported(node):
                if module.split(".")[0] == "app":
                    yield Fault(
                        source.name,
                        node.lineno,
                        f"it imports {module}, which changes",
                        "write plain sa types, and sa.table(...) with the columns that it needs",
                    )


# --- In words -------------------------------------------------------------------------------


def _only_adds(diff: Any) -> bool:
    """Whether a migration of it loses nothing, and works on tables that have rows."""
    if diff[0] == "add_column":
        column = diff[3]
        return bool(column.nullable or column.server_default is not None)
    return diff[0] in ("add_table", "add_index")


def _remedy(diff: Any) -> str:
    if _only_adds(diff):
        return f"{WRITE_ONE}, or check --fix"
    if diff[0] == "add_column":
        return f"give it a server_default, for the rows that are there; then {WRITE_ONE}"
    if diff[0].startswith("remove"):
        return f"if it is to go, {WRITE_ONE}: what it drops is lost"
    return WRITE_ONE


def _told(diff: Any) -> tuple[str, str, str]:
    """Table, column and words of what Alembic found."""
    kind = diff[0]
    if kind in ("add_table", "remove_table"):
        verb = "is new" if kind == "add_table" else "is in no model any more"
        return diff[1].name, "", f"table {diff[1].name} {verb}"
    if kind in ("add_column", "remove_column"):
        table, column = diff[2], diff[3].name
        verb = "is new" if kind == "add_column" else "is in no model any more"
        return table, column, f"column {table}.{column} {verb}"
    if kind.startswith("modify_"):
        table, column = diff[2], diff[3]
        was, now = diff[-2], diff[-1]
        return table, column, f"{kind.removeprefix('modify_')} of {table}.{column}: {was} -> {now}"
    thing = diff[1]
    what = kind.partition("_")[2].replace("fk", "foreign key")
    columns = [column.name for column in thing.columns]
    verb = "is new" if kind.startswith("add") else "is in no model any more"
    name = thing.name or ", ".join(columns)
    return thing.table.name, columns[0] if columns else "", f"{what} {name} {verb}"


# --- What others have -----------------------------------------------------------------------


def _published() -> tuple[str | None, bool]:
    """What others have, as far as git knows, and whether that is a remote's."""
    if git("rev-parse", "--verify", "--quiet", "HEAD") is None:
        return None, False
    head = (git("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD") or "").strip()
    for name in (head, "origin/main", "origin/master"):
        if name and git("rev-parse", "--verify", "--quiet", name) is not None:
            return name, True
    return "HEAD", False


def _first_change(before: str, after: str) -> int:
    """The first line whose code differs; 0 for none. Comments, docstrings and form are no code."""
    try:
        old, new = ast.parse(before), ast.parse(after)
    except SyntaxError:
        return 1
    for tree in (old, new):
        if tree.body and isinstance(tree.body[0], ast.Expr):
            del tree.body[0]
    if ast.dump(old) == ast.dump(new):
        return 0
    known = {ast.dump(node) for node in ast.walk(old) if isinstance(node, ast.stmt)}
    changed = [
        node for node in ast.walk(new) if isinstance(node, ast.stmt) and ast.dump(node) not in known
    ]
    return max(changed, key=lambda node: node.col_offset).lineno if changed else 1
