"""`python run.py check`: silent where all is well, and exact where it is not."""

import json
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.api.deps import SessionDep
from app.cli.checks.command import find
from app.cli.checks.fixing import mend
from app.cli.checks.record import Record
from app.cli.checks.rules import RULES, Fault, Fix, Needs, Point
from app.cli.checks.running import broken
from app.cli.checks.sources import Source
from app.cli.checks.tests import failed, succeeded
from app.cli.checks.tree import Tree
from app.cli.main import cli
from app.core.config import ROOT
from app.core.routing import APIRouter
from app.main import create_app
from app.models.user import User
from tests import servers
from tests.factories import make_user
from tests.mutations import ALONE, PATCHES, Patch, git, write_library
from tests.recording import Recorder, faults_of, is_whole, merged

Place = tuple[str, str, int]
MEASURED = {name for name, rule in RULES.items() if rule.needs is Needs.RECORD}


def judge(root: Path, *arguments: str, code: int) -> dict[str, Any]:
    """What `check --json` says of a tree."""
    with servers.run(root, "check", "--json", *arguments, ENVIRONMENT="test") as process:
        assert process.end() == code, process.output
        answer: dict[str, Any] = json.loads(process.output)
        return answer


def places(answer: dict[str, Any]) -> set[Place]:
    return {(each["rule"], each["file"], each["line"]) for each in answer["faults"]}


# --- Silent, and exact ------------------------------------------------------------------------


@pytest.mark.thorough
def test_this_tree_has_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["check"]) == 0
    said = capsys.readouterr().out
    assert re.search(rf"✓ No faults by {len(RULES)} rules \(\d+ silenced with a reason\)", said)
    assert all(name in said for name in ("user ", "order ", "Docs"))


@pytest.mark.slow
def test_each_rule_names_what_breaks_it_and_nothing_else(tmp_path: Path) -> None:
    """All patches at once. What `new` has written, and no patch has touched, is not named."""
    root = tmp_path / "tree"
    write_library(root)
    for each in PATCHES:
        each.apply(root)
    git(root, "add", "notes.txt")
    expected = {place for each in PATCHES for place in each.places(root)}
    assert places(judge(root, code=1)) == expected
    told_line_by_line(root, expected)
    proved = {each.rule for each in (*PATCHES, *ALONE)} - {"R00", "R99"}
    assert proved == RULES.keys() - MEASURED


def told_line_by_line(root: Path, faults: set[Place]) -> None:
    """As a person reads it, and an editor's terminal makes links of."""
    with servers.run(root, "check", ENVIRONMENT="test") as process:
        assert process.end() == 1
        said = process.output
    for rule, file, line in faults:
        assert f"{rule} {file}:{line} " in said
    assert re.search(r"✗ \d+ faults\. --fix mends \d+ of them\. Why: python run\.py check", said)


def test_what_keeps_the_app_from_starting_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "app/models/thing.py"
    path.parent.mkdir(parents=True)
    for text, line in (("x = 1\nimport nothing_like_it\n", 2), ("x = 1\n\ny = = 2\n", 3)):
        path.write_text(text, "utf-8")
        with pytest.raises((ImportError, SyntaxError)) as raised:
            runpy.run_path(str(path))
        fault = broken(Tree(tmp_path), raised.value)
        assert (fault.rule, fault.file, fault.line) == ("R00", "app/models/thing.py", line)


@pytest.mark.slow
@pytest.mark.parametrize("patch", [*PATCHES, *ALONE], ids=lambda patch: patch.rule)
def test_each_patch_alone_breaks_one_rule(
    patch: Patch, library: Callable[[], Path], tmp_path: Path
) -> None:
    root = tmp_path / "tree"
    shutil.copytree(library(), root)
    patch.apply(root)
    if patch.rule == "R54":
        git(root, "add", "notes.txt")
    assert places(judge(root, code=1)) == patch.places(root)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    root = tmp_path_factory.mktemp("library") / "tree"

    def made() -> Path:
        if not root.exists():
            write_library(root)
            assert judge(root, code=0)["faults"] == []
        return root

    return made


# --- What the tests have seen -----------------------------------------------------------------


@pytest.mark.last
def test_every_operation_was_called_well_and_badly(
    recorder: Recorder, request: pytest.FixtureRequest
) -> None:
    if not is_whole(request.session):
        pytest.skip("looks back at the whole suite, and only a part of it ran")
    if faults := faults_of(recorder.seen()):
        pytest.fail(faults, pytrace=False)


def record_of(tree: Tree, *statuses: int) -> Record:
    """As if the tests of users had got these from every operation, with the files as they are."""
    from app.cli.checks.record import digests

    calls = [[o.method, o.path, status] for o in tree.operations for status in statuses]
    module = {"run": "now", "calls": calls, "repeats": {}}
    return Record({"tests/test_users.py": module}, {"now": digests(ROOT)})


def users(faults: Any) -> list[Fault]:
    return [fault for fault in faults if fault.file == "app/api/users.py"]


def test_success_and_error_are_both_asked_for() -> None:
    tree = Tree(ROOT, Record())
    assert list(succeeded(tree)) == list(failed(tree)) == []  # nothing was measured
    for statuses, without_success, without_error in (
        ((200, 422), False, False),
        ((200,), False, True),
        ((200, 401, 403), False, True),
        ((404,), True, False),
    ):
        tree.record = record_of(tree, *statuses)
        assert bool(users(succeeded(tree))) == without_success
        assert bool(users(failed(tree))) == without_error


def test_what_several_processes_saw_counts_as_one_run() -> None:
    tree = Tree(ROOT, Record())
    tree.record = merged([record_of(tree, 200), record_of(tree, 422)])
    assert users(succeeded(tree)) == users(failed(tree)) == []
    assert len(tree.record.runs) == 1


def test_a_status_that_is_not_documented_is_told() -> None:
    tree = Tree(ROOT, Record())
    tree.record = record_of(tree, 200, 201, 204, 418)
    found = [fault for fault in RULES["R39"].check(tree) if fault.file == "app/api/users.py"]
    assert found
    assert any("418" in fault.what for fault in found)


def test_what_has_changed_since_is_not_measured(tmp_path: Path) -> None:
    record = Record({"tests/test_a.py": {"run": "1"}}, {"1": {"a.py": "not this"}})
    path = tmp_path / "a.py"
    path.write_text("x = 1\n", "utf-8")
    assert not record.is_measured(tmp_path, ["tests/test_a.py"], [path])
    assert not record.is_measured(tmp_path, ["tests/test_b.py"], [])
    assert record.is_measured(tmp_path, ["tests/test_a.py"], [])


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / ".pytest_cache/v/check/tests"
    path.parent.mkdir(parents=True)
    for text in ("", "[]", '{"modules": 1}'):
        path.write_text(text, "utf-8")
        assert Record.read(tmp_path).modules == {}


@pytest.mark.parametrize(("rows", "told"), [(5, True), (2, False)])
def test_a_statement_for_each_row_is_recorded_and_told(rows: int, told: bool) -> None:
    for _ in range(rows):
        make_user()
    router, recorder = APIRouter(), Recorder()

    @router.get("/api/v1/users")
    def each(db: SessionDep) -> list[str]:
        ids = db.scalars(select(User.id)).all()
        return [db.scalar(select(User.username).where(User.id == each)) or "" for each in ids]

    app = create_app()
    app.router.routes.insert(0, router.routes[0])
    client = TestClient(app)
    client.event_hooks["response"].append(recorder.note)
    assert len(client.get("/api/v1/users").json()) == rows
    recorder.close()
    seen = recorder.seen()
    repeats = list(seen.repeats(seen.modules))
    assert bool(repeats) == told
    if told:
        assert (repeats[0].times, repeats[0].rows, repeats[0].path) == (5, 5, "/api/v1/users")
        assert "users.username" in repeats[0].statement
        tree = Tree(ROOT, Record())
        tree.record = record_of(tree, 200)
        tree.record.modules["tests/test_users.py"]["repeats"] = dict(*seen_repeats(seen))
        (fault,) = RULES["R53"].check(tree)
        assert "5 times for 5 rows" in fault.what


def seen_repeats(record: Record) -> list[Any]:
    return [module["repeats"] for module in record.modules.values()]


# --- What it mends ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("def", "@r.get('')\nasync def f():\n    pass\n", "@r.get('')\ndef f():\n    pass\n"),
        ("status", "@r.post('')\ndef f(): ...\n", "@r.post('', status_code=201)\ndef f(): ...\n"),
        (
            "status",
            "@r.post(\n    '',\n    status_code=200,\n)\ndef f(): ...\n",
            "@r.post(\n    '',\n    status_code=201,\n)\ndef f(): ...\n",
        ),
        ("access", 'ACCESS = [\n    ("GET"),\n]\n', 'ACCESS = [\n    ("GET"),\n    ROW,\n]\n'),
        ("access", 'ACCESS = [("GET")]\n', 'ACCESS = [("GET"),     ROW,\n]\n'),
        ("index", "class A:\n    é: M\n", "class A:\n    é: M = mapped_column(index=True)\n"),
        (
            "index",
            "class A:\n    é: M[str] = mapped_column(\n        String(9),\n    )\n",
            "class A:\n    é: M[str] = mapped_column(\n        String(9),index=True)\n",
        ),
        (
            "index",
            "t = Table(\n    Column('a', K)\n)\n",
            "t = Table(\n    Column('a', K, index=True)\n)\n",
        ),
    ],
)
def test_what_needs_no_thought_is_mended(kind: str, before: str, after: str) -> None:
    line = 2 if kind == "index" else before.partition("def f")[0].count("\n") + 1
    value = {"status": "201", "access": "ROW"}.get(kind, "")
    assert mend(before, [Fault("a.py", line, "", "", fix=Fix(kind, "f", value))]) == after


@pytest.mark.slow
def test_all_that_can_be_mended_is_and_can_be_undone(
    library: Callable[[], Path], tmp_path: Path
) -> None:
    root = tmp_path / "tree"
    shutil.copytree(library(), root)
    for each in PATCHES:
        if each.rule in ("R06", "R23", "R24", "R33", "R36", "R37"):
            each.apply(root)
    before = contents(root)
    answer = judge(root, code=1)
    assert all(each["fixable"] for each in answer["faults"])
    with servers.run(root, "check", "--fix", ENVIRONMENT="test") as process:
        assert process.end() == 0, process.output
        assert "+++ b/app/models/volume.py" in process.output
        (undo,) = re.findall(r"git apply -R \S+", process.output)
    assert judge(root, code=0)["faults"] == []
    git(root, *undo.split()[1:])
    assert contents(root) == before


def contents(root: Path) -> dict[str, bytes]:
    folders = ("app", "tests", "alembic")
    paths = (path for folder in folders for path in (root / folder).rglob("*.py"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


# --- Silences ---------------------------------------------------------------------------------


def test_a_silence_covers_its_line_or_the_next_one_with_code(tmp_path: Path) -> None:
    text = """x = 1  # check: R07 because it is so
# check: R08, R09 because of two things
# and more to say
@decorated
def y(): ...
z = 3  # check: R10
"a text: # check: R11 because it is none"
"""
    path = tmp_path / "a.py"
    path.write_text(text, "utf-8")
    silences = Source(tmp_path, path).silences
    found = [(each.lines, each.rules, each.has_reason) for each in silences]
    assert found == [
        ((1,), ("R07",), True),
        ((2, 5), ("R08", "R09"), True),
        ((6,), ("R10",), False),
    ]


# --- What is printed --------------------------------------------------------------------------


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert cli(["check", *arguments]) == code
    captured = capsys.readouterr()
    return re.sub(r"\x1b\[[0-9;]*m", "", captured.out + captured.err)


@pytest.mark.thorough
def test_one_feature_in_any_spelling(capsys: pytest.CaptureFixture[str]) -> None:
    tree = Tree(ROOT, Record())
    assert {find(tree, name) for name in ("user", "users", "User")} == {"user"}
    answer = json.loads(said(capsys, "user", "--json"))
    assert list(answer["features"]) == ["user"]
    assert answer["features"]["user"].keys() == {point.value for point in Point}
    assert answer["ok"] is True


def test_what_is_typed_wrong_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean user?" in said(capsys, "usr", code=2)
    assert "There is no rule R77" in said(capsys, "--explain", "R77", code=2)
    assert "No such option" in said(capsys, "--nope", code=2)


def test_each_rule_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert "because ..." in said(capsys, "--explain", "r07")
    assert "R99" in said(capsys, "--explain", "R99")
    listed = said(capsys, "--rules")
    for name, rule in RULES.items():
        assert f"{name} {rule.title}" in listed
        assert len(rule.paragraph.split()) > 15, name


def test_the_document_lists_the_rules(app: FastAPI) -> None:
    text = (ROOT / "docs/checks.md").read_text("utf-8")
    rows = re.findall(r"^\| (R\d\d) \| (.+?) \|", text, re.MULTILINE)
    assert rows[2:] == [(name, rule.title) for name, rule in RULES.items()]
    assert [name for name, _ in rows[:2]] == ["R00", "R99"]
