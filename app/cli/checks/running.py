"""All rules, run on a tree: faults, what was silenced, and what was not measured."""

import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.cli.checks.rules import RULES, Fault, Needs, Point
from app.cli.checks.sources import find_silences
from app.cli.checks.tree import Subject, Tree

MODULES = (
    *("model", "migration", "service", "api", "schemas", "tests"),
    *("indexes", "errors", "docs", "relationships", "pitfalls"),
)
for _name in MODULES:
    importlib.import_module(f"app.cli.checks.{_name}")

BROKEN = "R00"  # the app cannot be imported
SILENCED = "R99"  # a silence without a reason, or of nothing


@dataclass
class Report:
    tree: Tree
    faults: list[Fault] = field(default_factory=list)
    silenced: int = 0
    is_broken: bool = False  # what needs the app was not judged

    def faults_of(self, name: str) -> list[Fault]:
        return [fault for fault in self.faults if self.tree.owner(fault.file) == name]


def run(tree: Tree) -> Report:
    report = Report(tree)
    broken = _import(tree)
    if broken:
        report.is_broken = True
        report.faults.append(broken)
    found = []
    for rule in RULES.values():
        if broken and rule.needs is not Needs.SOURCES:
            continue
        found += [replace(fault, rule=rule.id) for fault in rule.check(tree)]
    _silence(tree, sorted(set(found)), report)
    report.faults.sort()
    return report


def _import(tree: Tree) -> Fault | None:
    """Import all of it, and make the document; the fault that stops that."""
    steps: list[Callable[[], object]] = [lambda: tree.mappers, lambda: tree.document]
    steps.append(lambda: tree.operations)
    for step in steps:
        try:
            step()
        except Exception as error:
            return _broken(tree, error)
    return None


def _broken(tree: Tree, error: Exception) -> Fault:
    file, line = "app/main.py", 1
    for frame in traceback.extract_tb(error.__traceback__):
        name = frame.filename.removeprefix(f"{tree.root}").replace("\\", "/").lstrip("/")
        if name in tree.sources.by_name and not name.startswith(("app/cli/", "app/core/")):
            file, line = name, frame.lineno or 1
    if isinstance(error, SyntaxError) and error.filename:
        name = error.filename.removeprefix(f"{tree.root}").replace("\\", "/").lstrip("/")
        file, line = name, error.lineno or 1
    said = str(error).strip().splitlines() or [""]
    what = f"the app does not start: {type(error).__name__}: {said[0]}"
    return Fault(
        file, line, what, "mend it first: the rules that need the app judge nothing", BROKEN
    )


def _silence(tree: Tree, faults: list[Fault], report: Report) -> None:
    used = set()
    known: dict[str, list[object]] = {}
    for fault in faults:
        if fault.file not in known:
            path = tree.root / fault.file
            text = path.read_text("utf-8", "replace") if path.is_file() else ""
            known[fault.file] = list(find_silences(text)) if "check:" in text else []
        silence = next(
            (
                each
                for each in known[fault.file]
                if fault.line in each.lines  # type: ignore[attr-defined]
                and fault.rule in each.rules  # type: ignore[attr-defined]
                and each.has_reason  # type: ignore[attr-defined]
            ),
            None,
        )
        if silence is None:
            report.faults.append(fault)
        else:
            report.silenced += 1
            used.add((fault.file, silence.line, fault.rule))  # type: ignore[attr-defined]
    for source in tree.sources.all:
        if "check:" not in source.text:
            continue
        for each in source.silences:
            for rule in each.rules:
                if (source.name, each.line, rule) in used:
                    continue
                if not each.has_reason:
                    what = f"the silence of {rule} gives no reason"
                    remedy = f"write `# check: {rule} because ...`"
                elif rule not in RULES:
                    what, remedy = f"there is no rule {rule}", "see `python run.py check --rules`"
                elif report.is_broken or RULES[rule].needs is Needs.RECORD:
                    continue  # not judged this time
                else:
                    what, remedy = f"nothing here breaks {rule}", "take the comment away"
                report.faults.append(Fault(source.name, each.line, what, remedy, SILENCED))


# --- The table -------------------------------------------------------------------------------


class State:
    """Of one point of one feature."""

    OK = "ok"
    FAULTS = "faults"
    NOT_MEASURED = "not measured"
    NONE = "none"  # it has nothing of the kind


def state(report: Report, subject: Subject, point: Point) -> str:
    if any(_point(fault) is point for fault in report.faults_of(subject.name)):
        return State.FAULTS
    if report.is_broken:
        return State.NOT_MEASURED
    tree = report.tree
    operations = bool(tree.operations_of(subject))
    has = {
        Point.MODEL: bool(subject.model),
        Point.MIGRATION: bool(subject.model),
        Point.INDEXES: bool(subject.model),
        Point.RELATIONSHIPS: bool(subject.model),
        Point.SERVICE: any(each.startswith("app/services/") for each in subject.files),
        Point.SCHEMAS: any(each.startswith("app/schemas/") for each in subject.files),
    }
    if not has.get(point, operations):
        return State.NONE
    if point is Point.TESTS and not tree.is_measured(subject):
        return State.NOT_MEASURED
    return State.OK


def _point(fault: Fault) -> Point:
    return RULES[fault.rule].point if fault.rule in RULES else Point.PITFALLS


def not_measured(report: Report) -> list[str]:
    """The features whose tests did not run since they were changed."""
    if report.is_broken:
        return []
    tree = report.tree
    return [s.name for s in tree.subjects if tree.operations_of(s) and not tree.is_measured(s)]
