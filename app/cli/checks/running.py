"""All rules, run on a tree: faults, what was silenced, and what was not measured."""

import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.cli.checks.aside import Judge
from app.cli.checks.rules import RULES, Fault, Needs, Point
from app.cli.checks.sources import Silence, find_silences
from app.cli.checks.tree import Subject, Tree

MODULES = (
    *("model", "migration", "service", "api", "schemas", "tests"),
    *("indexes", "errors", "docs", "relationships", "pitfalls", "written"),
)
for _name in MODULES:
    importlib.import_module(f"app.cli.checks.{_name}")
for _name in sorted(RULES):
    RULES[_name] = RULES.pop(_name)  # in the order of their ids, whichever module came first

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


def run(tree: Tree, start: Callable[[Judge], Judge] = lambda judge: judge) -> Report:
    """start: takes what judges without the app, and gives what answers it later."""
    report = Report(tree)
    fault = _first_error(tree, lambda: tree.mappers)
    without_app = [Needs.SOURCES] if fault else [Needs.SOURCES, Needs.MODELS]
    others = start(lambda: _judge(tree, without_app))
    fault = fault or _first_error(tree, lambda: tree.document, lambda: tree.operations)
    found = [] if fault else _judge(tree, [Needs.APP, Needs.RECORD])
    if fault:
        report.is_broken = True
        report.faults.append(fault)
    _silence(tree, sorted({*found, *others()}), report)
    report.faults.sort()
    return report


def _judge(tree: Tree, needs: list[Needs]) -> list[Fault]:
    return [
        replace(each, rule=rule.id)
        for rule in RULES.values()
        if rule.needs in needs
        for each in rule.check(tree)
    ]


def _first_error(tree: Tree, *steps: Callable[[], object]) -> Fault | None:
    """What stops the import of the app, or its document."""
    for step in steps:
        try:
            step()
        except Exception as error:
            return broken(tree, error)
    return None


def broken(tree: Tree, error: Exception) -> Fault:
    """The line of ours that an error comes from."""
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
    """Sort the faults into those that stay and those that somebody has given a reason for."""
    used = set()
    for fault in faults:
        silence = next((each for each in _silences(tree, fault.file) if each.covers(fault)), None)
        if silence is None:
            report.faults.append(fault)
        else:
            report.silenced += 1
            used.add((fault.file, silence.line, fault.rule))
    for source in tree.sources.all:
        for each in source.silences:
            for rule in each.rules:
                if (source.name, each.line, rule) not in used:
                    told = _unneeded(report, each, rule)
                    if told:
                        report.faults.append(Fault(source.name, each.line, *told, SILENCED))


def _silences(tree: Tree, file: str) -> list[Silence]:
    if file in tree.sources.by_name:
        return tree.sources.by_name[file].silences
    path = tree.root / file
    return find_silences(path.read_text("utf-8", "replace")) if path.is_file() else []


def _unneeded(report: Report, silence: Silence, rule: str) -> tuple[str, str] | None:
    if rule not in RULES:
        return f"there is no rule {rule}", "see python run.py check --rules"
    if not silence.has_reason:
        return f"the silence of {rule} gives no reason", f"write `# check: {rule} because ...`"
    if report.is_broken or RULES[rule].needs is Needs.RECORD:
        return None  # not judged this time
    return f"nothing here breaks {rule}", "take the comment away"


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
