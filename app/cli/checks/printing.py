"""What `python run.py check` prints: for people a table and a line for each fault; for programs
JSON."""

import json
from textwrap import dedent
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.cli.checks.rules import RULES, Fault, Point
from app.cli.checks.running import BROKEN, SILENCED, Report, State, not_measured, state
from app.cli.console import UsageError, console

MARKS = {
    State.OK: "[green]✓[/]",
    State.FAULTS: "[bold red]✗[/]",
    State.NOT_MEASURED: "[yellow]?[/]",
    State.NONE: "[dim]·[/]",
}
OWN = {
    BROKEN: ("The app starts", "Rules about tables, schemas and routes look at the imported app."),
    SILENCED: (
        "A silence is needed, and says why",
        """`# check: R07 because it is so` silences one rule at one line: its own or, where the
        comment stands alone, the next one. One without a reason silences nothing; one that nothing
        needs any more would hide the next fault.""",
    ),
}
SHORT = {
    Point.MIGRATION: "Migr",
    Point.SERVICE: "Serv",
    Point.SCHEMAS: "Schem",
    Point.INDEXES: "Index",
    Point.ERRORS: "Err",
    Point.RELATIONSHIPS: "Relat",
    Point.PITFALLS: "Pitf",
}
RUN_TESTS = "python run.py test"


def show(report: Report, only: str | None) -> None:
    subjects = [each for each in report.tree.subjects if only in (None, each.name)]
    if subjects:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("", no_wrap=True, min_width=max(len(each.name) for each in subjects))
        for point in Point:
            name = point.value if console.width >= 110 else SHORT.get(point, point.value)
            table.add_column(name, justify="center", no_wrap=True)
        for subject in subjects:
            marks = [MARKS[state(report, subject, point)] for point in Point]
            table.add_row(subject.name, *marks)
        console.print(table)
        console.print()
    for fault in report.faults:
        show_fault(fault)
    tell_end(report, only)


def show_fault(fault: Fault) -> None:
    """On one line, however long: it is also read by programs, and clicked in an editor."""
    place = f"{fault.file}:{fault.line}"
    console.print(
        f"[bold red]{fault.rule}[/] [bold]{escape(place)}[/] {escape(fault.what)}. "
        f"[dim]→[/] {escape(fault.remedy)}",
        soft_wrap=True,
    )


def tell_end(report: Report, only: str | None) -> None:
    count = len(report.faults)
    if count:
        number = "1 fault" if count == 1 else f"{count} faults"
        fixable = sum(fault.fix is not None for fault in report.faults)
        more = f" --fix mends {fixable} of them." if fixable else ""
        first = report.faults[0].rule
        why = f"Why: python run.py check --explain {first}"
        console.print(f"\n[red]✗[/] {number}.{more} {why}", soft_wrap=True)
    else:
        silenced = f" ({report.silenced} silenced with a reason)" if report.silenced else ""
        console.print(f"[green]✓[/] No faults by {len(RULES)} rules{silenced}.")
    names = [name for name in not_measured(report) if only in (None, name)]
    if names:
        all_ = len(names) > 3 and only is None
        which = f"{len(names)} features" if all_ else ", ".join(names)
        console.print(
            f"[yellow]?[/] Tests of {which}: not measured since the last change. Run: {RUN_TESTS}",
            soft_wrap=True,
        )


def as_json(report: Report, only: str | None) -> str:
    """See docs/checks.md. Keys are added and never renamed."""
    data: dict[str, Any] = {
        "ok": not report.faults,
        "faults": [
            {
                "rule": fault.rule,
                "title": title_of(fault.rule),
                "file": fault.file,
                "line": fault.line,
                "feature": report.tree.owner(fault.file),
                "what": fault.what,
                "remedy": fault.remedy,
                "fixable": fault.fix is not None,
            }
            for fault in report.faults
        ],
        "features": {
            subject.name: {point.value: state(report, subject, point) for point in Point}
            for subject in report.tree.subjects
            if only in (None, subject.name)
        },
        "silenced": report.silenced,
        "not_measured": [name for name in not_measured(report) if only in (None, name)],
    }
    return json.dumps(data, indent=2, ensure_ascii=False)


def title_of(name: str) -> str:
    return OWN[name][0] if name in OWN else RULES[name].title


def explain_rule(name: str) -> None:
    name = name.upper()
    if name not in RULES and name not in OWN:
        raise UsageError(f"There is no rule {name}. All of them: python run.py check --rules")
    if name in OWN:
        title, paragraph = OWN[name][0], " ".join(OWN[name][1].split())
        point: str = "Any file"
    else:
        rule = RULES[name]
        title, paragraph, point = rule.title, " ".join(dedent(rule.paragraph).split()), rule.point
    console.print(f"[bold]{name}[/] {escape(title)} [dim]({point})[/]\n")
    console.print(escape(paragraph))
    if name not in OWN:
        console.print(
            f"\n[dim]Where it is right as it is, say why, on the line or above it:[/]\n"
            f"# check: {name} because ..."
        )


def list_rules() -> None:
    for point in Point:
        console.print(f"[bold]{point}[/]")
        for name, rule in RULES.items():
            if rule.point is point:
                console.print(f"  {name} {escape(rule.title)}", soft_wrap=True)
