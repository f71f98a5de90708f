"""`python run.py check`"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.cli.checks import aside, printing
from app.cli.checks.record import Record
from app.cli.checks.running import Report, run
from app.cli.checks.tree import Tree
from app.cli.console import UsageError
from app.cli.scaffold.names import snake
from app.core.config import ROOT


def check_tree(name: str | None, *, as_json: bool, fix: bool) -> bool:
    """Judge the tree, or one feature of it, and print; whether there is no fault."""
    tree = Tree(ROOT, Record.read(ROOT))
    only = find(tree, name) if name else None
    with no_collections():
        report = narrowed(run(tree, aside.start), only)
    if fix:
        from app.cli.checks.fixing import fix_all

        fix_all(report)
        return True
    if as_json:
        print(printing.as_json(report, only))
    else:
        printing.show(report, only)
    return not report.faults


@contextmanager
def no_collections() -> Iterator[None]:
    """For the second that it takes: syntax trees are many objects, and all of them stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor is it looked through at the end of the process
        if enabled:
            gc.enable()


def tell_rules(name: str | None) -> None:
    """Explain one rule, or list them all."""
    if name:
        printing.explain_rule(name)
    else:
        printing.list_rules()


def find(tree: Tree, typed: str) -> str:
    """The name of a feature, from any spelling of it."""
    from difflib import get_close_matches

    name = snake(typed)
    for subject in tree.subjects:
        plural = next((m.table for m in tree.project.models if m.cls == subject.model), "")
        if name in (subject.name, plural):
            return subject.name
    names = [each.name for each in tree.subjects]
    near = get_close_matches(name, names, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
    raise UsageError(f"There is no feature {typed}. {hint}")


def narrowed(report: Report, only: str | None) -> Report:
    """What concerns one feature. What keeps the app from starting concerns each."""
    if only is None:
        return report
    kept = [f for f in report.faults if report.tree.owner(f.file) == only or f.rule == "R00"]
    return replace(report, faults=kept)
