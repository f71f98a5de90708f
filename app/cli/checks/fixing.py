"""`check --fix`: what needs no thought, tried in a copy, shown as a diff, and undone by it.

An index (with its migration), a migration that only adds, `async def`, a status in a decorator, a
row of ACCESS. A docstring, a length or a test is no such thing: somebody has to know.
"""

import ast
from collections import defaultdict
from pathlib import Path

from app.cli.checks.api import decorator_of
from app.cli.checks.record import FILE
from app.cli.checks.rules import Fault
from app.cli.checks.running import Report
from app.cli.checks.sources import Function, last_name
from app.cli.checks.tree import ACCESS
from app.cli.console import CommandError, console
from app.cli.scaffold.changes import Changes
from app.cli.scaffold.rendering import ruff
from app.cli.scaffold.workshop import FailedError, Workshop, workshop
from app.core.config import ROOT

UNDO = FILE.with_name("fix.patch")  # beside the record, which git ignores

COLUMNS = ("mapped_column", "Column")

Edit = tuple[int, int, str]  # from, to and what stands there then, by characters


def fix_all(report: Report) -> None:
    """Mend what can be, all of it or nothing, and print the diff."""
    faults = [fault for fault in report.faults if fault.fix]
    if not faults:
        console.print("Nothing can be mended without thinking.")
        return
    with workshop(ROOT) as shop:
        changes = build(shop, faults)
    diff = changes.diff()
    with changes.applied():
        (ROOT / UNDO).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / UNDO).write_text(diff, "utf-8", newline="\n")
    print(diff, end="")
    mended = ", ".join(sorted({fault.rule for fault in faults}))
    undo = f"git apply -R {UNDO.as_posix()}"
    console.print(f"\n[green]✓[/] Mended: {mended}. Read it. Undo: {undo}", soft_wrap=True)
    left = len(report.faults) - len(faults)
    again = f" {left} more need you." if left else ""
    console.print(f"{again} Look again: python run.py check".strip())


def build(shop: Workshop, faults: list[Fault]) -> Changes:
    by_file = defaultdict(list)
    for fault in faults:
        assert fault.fix
        if fault.fix.kind != "migration":
            file = fault.fix.target if fault.fix.kind == "access" else fault.file
            by_file[file].append(fault)
    paths = []
    for file, found in by_file.items():
        path = shop.root / file
        path.write_text(mend(path.read_text("utf-8"), found), "utf-8", newline="\n")
        paths.append(path)
    kinds = {fault.fix.kind for fault in faults if fault.fix}
    if kinds & {"index", "migration"}:
        paths += write_migration(shop, faults)
    ruff(shop.root, paths)
    shop.check_import()
    changes = Changes(ROOT)
    for path in paths:
        changes.add(ROOT / path.relative_to(shop.root), path.read_bytes())
    return changes


def write_migration(shop: Workshop, faults: list[Fault]) -> list[Path]:
    """The migration of what is new; none when there is nothing that a migration has not."""
    versions = shop.root / "alembic/versions"
    before = set(versions.glob("*.py"))
    fixes = [fault.fix for fault in faults if fault.fix]
    new = sorted({each.target for each in fixes if each.kind == "migration" and each.target})
    indexed = sorted({each.target for each in fixes if each.kind == "index"})
    message = f"add {', '.join(new)}" if new else f"index {', '.join(indexed)}"
    try:
        shop.python("-m", "app.cli.checks.autogenerate", message[:60])
    except FailedError as failed:
        raise CommandError(f"The migration cannot be made. {failed.reason()}") from None
    return list(set(versions.glob("*.py")) - before)


def mend(text: str, faults: list[Fault]) -> str:
    """The text of a file with all of these mended, the last ones first."""
    edits = sorted({_edit(text, fault) for fault in faults}, reverse=True)
    for start, end, new in edits:
        text = text[:start] + new + text[end:]
    return text


def _edit(text: str, fault: Fault) -> Edit:
    assert fault.fix
    kind, value = fault.fix.kind, fault.fix.value
    if kind == "access":
        match = ACCESS.search(text)
        assert match
        comma = "" if match[1][:-1].rstrip().endswith((",", "[")) else ", "
        return match.end(1) - 1, match.end(1) - 1, f"{comma}    {value},\n"
    tree = ast.parse(text)
    if kind == "def":
        start = text.index("async def", _offset(text, fault.line, 0))
        return start, start + len("async def"), "def"
    if kind == "status":
        node = next(n for n in ast.walk(tree) if isinstance(n, Function) and n.lineno == fault.line)
        call = decorator_of(node)
        assert call
        for keyword in call.keywords:
            if keyword.arg == "status_code":
                old = keyword.value
                return _offset(text, old.lineno, old.col_offset), _end(text, old), value
        return _in_call(text, call, f"status_code={value}")
    for each in ast.walk(tree):
        if isinstance(each, ast.AnnAssign) and each.lineno == fault.line and each.value is None:
            return _end(text, each), _end(text, each), " = mapped_column(index=True)"
        if isinstance(each, ast.Call) and last_name(each.func) in COLUMNS:
            lines = range(each.lineno, (each.end_lineno or 0) + 1)
            if fault.line in lines:
                return _in_call(text, each, "index=True")
    raise CommandError(f"{fault.file}:{fault.line}: there is no column to give an index to.")


def _in_call(text: str, call: ast.Call, argument: str) -> Edit:
    """One argument more, before the closing bracket."""
    end = _end(text, call) - 1
    before = text[:end].rstrip()
    comma = "" if before.endswith(("(", ",")) else ", "
    return len(before), end, f"{comma}{argument}"


def _end(text: str, node: ast.expr | ast.stmt) -> int:
    return _offset(text, node.end_lineno or 0, node.end_col_offset or 0)


def _offset(text: str, line: int, column: int) -> int:
    """Of a place in the text. Columns are counted in bytes."""
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())
