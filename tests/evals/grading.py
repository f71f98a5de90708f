"""The points of a tree, each found out in a copy of it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from app.core.config import ROOT
from tests.evals import Edit, load
from tests.servers import NOT_COPIED, environment

PATIENCE = 600  # seconds for one command
BOX = ROOT / "tests/evals"
HOUSE = (
    *("tests/test_architecture.py", "tests/test_migrations.py"),
    "tests/test_access.py::test_every_operation_has_a_row",
)


@dataclass(frozen=True)
class Point:
    """name: of the acceptance test, or what was tried. why: what was found instead, in a line."""

    name: str
    says: str
    passed: bool
    why: str = ""


def grade(
    name: str, tree: Path, folder: Path, told: Callable[[Point], None], *, whole: bool = True
) -> list[Point]:
    """The points, told as they are found. `folder` is empty; the tree is only read.

    whole: also what the tree's own tests and `check` say, and not the acceptance tests alone.
    """
    copy = folder / "tree"
    shutil.copytree(tree, copy, ignore=NOT_COPIED)
    # The acceptance tests of this tree: those of the other one may have been made to pass.
    shutil.rmtree(copy / "tests/evals", ignore_errors=True)
    shutil.copytree(BOX, copy / "tests/evals", ignore=NOT_COPIED)
    module = load(name)
    points = []
    for point in _points(name, module, copy, whole):
        points.append(point)
        told(point)
    return points


def _points(name: str, module: ModuleType, tree: Path, whole: bool) -> Iterator[Point]:
    mutants = getattr(module, "MUTANTS", None)
    if mutants:
        yield from _mutants(tree, module.MODULES, mutants)
    else:
        yield from _acceptance(tree, name)
    if whole:
        yield _own_tests(tree, module.MODULES, () if mutants else HOUSE)
        yield _check(tree, module.FEATURE)  # by what those tests recorded


# --- Acceptance tests ------------------------------------------------------------------------


def _acceptance(tree: Path, name: str) -> Iterator[Point]:
    file = f"{name.replace('-', '_')}.py"
    report = tree.parent / "report.xml"
    said = _pytest(tree, f"tests/evals/{file}", f"--junitxml={report}")
    results = _results(report) if report.exists() else {}
    for function, sentence in points_of(BOX / file).items():
        failures = results.get(function)
        if failures is None:
            yield Point(function, sentence, False, _last_line(said.stdout + said.stderr))
        else:
            yield Point(function, sentence, not failures, failures[0] if failures else "")


def points_of(file: Path) -> dict[str, str]:
    """The acceptance tests of a file, and what each says."""
    nodes = ast.parse(file.read_text("utf-8")).body
    tests = [n for n in nodes if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    return {each.name: ast.get_docstring(each) or "" for each in tests}


def _results(report: Path) -> dict[str, list[str]]:
    """What failed in each test, in all its variants."""
    found: dict[str, list[str]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        failures = found.setdefault(case.get("name", "").partition("[")[0], [])
        for kind in ("failure", "error", "skipped"):
            failures += [_first_line(each.get("message") or "") for each in case.iter(kind)]
    return found


# --- The tests of the tree -------------------------------------------------------------------


def _own_tests(tree: Path, modules: list[str], house: tuple[str, ...]) -> Point:
    says = "Its own tests pass" + (", with the rules of the house and the migrations" * bool(house))
    missing = [each for each in modules if not (tree / each).exists()]
    if missing:
        return Point("own tests", says, False, f"{missing[0]} is not there")
    done = _pytest(tree, *modules, *house)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    passed = done.returncode == 0 and " passed" in done.stdout
    return Point("own tests", says, passed, ", ".join(failed[:3]) or _last_line(done.stdout))


def _mutants(tree: Path, modules: list[str], mutants: dict[str, Edit]) -> Iterator[Point]:
    there = [each for each in modules if (tree / each).exists()]
    for sentence, edit in mutants.items():
        says = f"They fail when {sentence}"
        path = tree / edit.path
        before = path.read_text("utf-8")
        try:
            edit.apply(tree)
        except LookupError as error:  # what is tested was changed, to make the tests pass
            yield Point(sentence, says, False, str(error))
            continue
        caught = bool(there) and _pytest(tree, "-x", *there).returncode == 1
        path.write_text(before, "utf-8")
        yield Point(sentence, says, caught, "" if caught else "no test noticed")


def _check(tree: Path, feature: str) -> Point:
    says = f"python run.py check {feature} finds nothing"
    done = _run(tree, "run.py", "check", feature, "--json")
    try:
        faults = json.loads(done.stdout)["faults"]
    except (ValueError, KeyError):
        return Point("check", says, False, _last_line(done.stderr or done.stdout))
    why = [f"{each['rule']} {each['file']}:{each['line']} {each['what']}" for each in faults]
    return Point("check", says, not why and done.returncode == 0, "; ".join(why[:3]))


# --- Processes -------------------------------------------------------------------------------


def _pytest(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return _run(tree, "-m", "pytest", "-rfE", "--tb=line", "--no-header", *arguments)


def _run(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment(ENVIRONMENT="test", PYTHONUTF8="1", COLUMNS="200", **_keep_coverage_out()),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )


def _keep_coverage_out() -> dict[str, str]:
    """A copy that is thrown away is not what coverage is about."""
    return {name: "" for name in os.environ if name.startswith("COV_CORE")}


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it does not say why"
