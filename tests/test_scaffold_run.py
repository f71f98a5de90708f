"""`new`, `copy` and `remove` as a person runs them, in copies of the tree.

Minutes: `python run.py test --slow` runs them.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.console import CommandError
from app.cli.scaffold.features import dependents, features, find_feature, shipped
from app.cli.scaffold.project import Project
from app.cli.testing import prepare
from app.core.config import ROOT
from tests.servers import Process, copy_tree, environment, run

BOOK = ["title:str:200:unique", "price:decimal:10.2", "stock:int=0", "writer:ref:users:optional"]
pytestmark = pytest.mark.slow
EXAMPLES = [each.name for each in shipped(Project(ROOT))]
shop = pytest.mark.skipif(not EXAMPLES, reason="the examples were removed")
# What stands for itself; the others know each other: a product its reviews, a post its tags.
COPIED = {"category", "comment", "order"}


@pytest.fixture(autouse=True)
def checkout_as_it_was() -> Iterator[None]:
    """All of it happens in copies: of the tree that the tests are in, nothing is touched."""

    def state() -> tuple[set[str], bool]:
        names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".coverage")}
        return names, Path(sys.executable).exists()

    before = state()
    yield
    assert state() == before


class Tree:
    """A copy of the tree with a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = copy_tree(folder / "tree")
        self.database = folder / "app.db"
        self.git("init")
        self.git("add", "--all")
        self.git("commit", "--message", "as it was cloned")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=ana", "-c", "user.email=ana@example.com")
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, check=True
        ).stdout

    def run(self, *arguments: str, code: int = 0) -> str:
        """What `python run.py` says, on one line without colours."""
        url = f"sqlite:///{self.database}"
        done = subprocess.run(
            [sys.executable, "run.py", *arguments],
            cwd=self.root,
            env=environment(DATABASE_URL=url, SECRET_KEY="s" * 32, COLUMNS="200"),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and not {".git", ".run", "__pycache__"} & set(path.parts)
        }

    def schema(self) -> list[tuple[str, str]]:
        with sqlite3.connect(self.database) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        connection.close()
        return sorted(rows, key=str)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    return Tree(tmp_path)


def test_new_and_remove_leave_the_tree_as_it_was(tree: Tree) -> None:
    tree.run("migrate")
    files, schema = tree.files(), tree.schema()
    shown = tree.run("new", "book", *BOOK, "--dry-run")
    assert (tree.files(), tree.schema()) == (files, schema)
    assert "+class Book(Base, IdMixin, TimestampMixin, SearchMixin):" in shown
    assert '+    books: Mapped[list["Book"]] = relationship(' in shown

    said = tree.run("new", "book", *BOOK)
    assert "+ app/api/books.py" in said
    assert "~ app/models/user.py" in said
    passed = re.search(r"(\d+) tests passed", said)
    assert passed, said
    assert int(passed[1]) > 80
    made = tree.files().keys() - files.keys()
    assert len(made) == 6
    assert any(name == "books" for name, _ in tree.schema())

    again = tree.run("new", "Book", "title:str", code=1)
    assert again.count("\n") == 1
    assert "Book exists already" in again
    assert "Book is gone" in tree.run("remove", "books")
    assert (tree.files(), tree.schema()) == (files, schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("app/models/base.py", "The migration cannot be made."),
        pytest.param("app/services/base.py", "Tests of it fail, so nothing was changed"),
    ],
)
def test_what_fails_changes_nothing(tree: Tree, change: str, said: str) -> None:
    tree.run("migrate")
    path = tree.root / change
    if "models" in change:
        path.write_text(path.read_text("utf-8") + "\nraise RuntimeError('broken')\n", "utf-8")
    else:
        path.write_text(path.read_text("utf-8").replace("db.commit()", "db.flush()"), "utf-8")
    files, schema = tree.files(), tree.schema()
    assert said in tree.run("new", "book", "title:str", code=1)
    assert (tree.files(), tree.schema()) == (files, schema)


def test_a_migration_that_fails_changes_nothing(tree: Tree) -> None:
    tree.run("migrate")
    with sqlite3.connect(tree.database) as connection:
        connection.execute("CREATE TABLE books (id INTEGER)")
    connection.close()
    files, schema = tree.files(), tree.schema()
    said = tree.run("new", "book", "title:str", "--no-test", code=1)
    assert "The database has a table books that no model knows." in said
    assert (tree.files(), tree.schema()) == (files, schema)


def test_what_a_foreign_key_holds_is_not_removed(tree: Tree) -> None:
    tree.run("new", "book", "title:str", "--no-test")
    with sqlite3.connect(tree.database) as connection:
        connection.execute("CREATE TABLE loans (id INTEGER, book INTEGER REFERENCES books (id))")
    connection.close()
    files, schema = tree.files(), tree.schema()
    said = tree.run("remove", "book", "--force", code=1)
    assert "In the database, the table loans refers to books." in said
    assert (tree.files(), tree.schema()) == (files, schema)


def workshops(tree: Tree) -> list[Path]:
    return list((tree.root.parent / "temporary").glob("new-*"))


def start(tree: Tree, *arguments: str) -> Process:
    """A command whose temporary files have a folder of their own."""
    temporary = tree.root.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    url = f"sqlite:///{tree.database}"
    return run(tree.root, *arguments, DATABASE_URL=url, SECRET_KEY="s" * 32, TMPDIR=str(temporary))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    reason="started in the background, where Ctrl-C is ignored",
)
def test_who_is_stopped_leaves_nothing_behind(tree: Tree) -> None:
    tree.run("migrate")
    # Its tests never end, so each signal finds it at work.
    (tree.root / "tests/conftest.py").write_text("import time\n\ntime.sleep(3600)\n", "utf-8")
    files, schema = tree.files(), tree.schema()
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with start(tree, "new", "book", "title:str") as process:
            process.wait_for(lambda: any((each / "tests").exists() for each in workshops(tree)))
            process.popen.send_signal(how)
            assert process.end() != 0
            stopped = "Files and database are as they were" in process.output
            assert stopped == (how is not signal.SIGKILL), process.output
        assert (tree.files(), tree.schema()) == (files, schema)
        assert bool(workshops(tree)) == (how is signal.SIGKILL)
    # What that left, the next one takes away.
    with start(tree, "new", "book", "title:str", "--dry-run") as process:
        assert process.end() == 0
    assert workshops(tree) == []


def test_of_two_at_once_the_second_waits_for_the_first(tree: Tree) -> None:
    names = ("book", "shelf", "reader")
    started = [
        start(tree, "new", name, "owner:ref:users", "--no-migrate", "--no-test") for name in names
    ]
    for process in started:
        with process:
            assert process.end() == 0, process.output
    assert sum("Waiting for its end" in each.output for each in started) == 2
    tree.run("migrate")  # which two heads would stop
    assert {"books", "shelves", "readers"} <= {name for name, _ in tree.schema()}


def test_what_was_edited_is_not_removed_without_force(tree: Tree) -> None:
    tree.run("new", "book", "title:str", "--no-test")
    model = tree.root / "app/models/book.py"
    model.write_text(model.read_text("utf-8") + "\n# mine\n", "utf-8")
    assert "app/models/book.py" in tree.run("remove", "book", code=1)
    assert model.exists()
    tree.run("remove", "book", "--force")
    assert not model.exists()


def test_what_others_stand_on_is_not_removed(tree: Tree) -> None:
    assert "app/api/deps.py" in tree.run("remove", "user", code=1)
    assert "Did you mean user?" in tree.run("remove", "usr", code=1)


@pytest.mark.parametrize("document", ["README.md", "docs/generator.md"])
def test_the_commands_of_the_documents(tree: Tree, document: str) -> None:
    """The two-minute tour, as it is written: in its order, one after the other."""
    text = (ROOT / document).read_text("utf-8")
    commands = re.findall(r"^python run.py ((?:new|copy|remove) .*)$", text, re.MULTILINE)
    assert commands
    tree.run("migrate")
    for command in commands:
        if command != "remove --examples" or EXAMPLES:
            said = tree.run(*command.split())
            assert re.search(r"[1-9]\d+ tests passed|(is|are) gone", said), said
    assert "nothing to do" in tree.run("migrate")
    check_tools(tree)


def check_whole(tree: Tree) -> None:
    """All that `.ci/run` asks of a tree, on SQLite."""
    said = tree.run("test")
    assert re.search(r"^\d+ passed", said, re.MULTILINE), said
    assert " failed" not in said
    assert " error" not in said
    check_tools(tree)


def check_tools(tree: Tree) -> None:
    """What was generated passes as it stands."""
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        subprocess.run([sys.executable, "-m", *tool], cwd=tree.root, check=True)


@shop
def test_all_examples_can_be_taken_away(tree: Tree) -> None:
    assert {"category", "product"} <= set(EXAMPLES)
    tree.run("remove", "--examples")
    assert [each.name for each in features(Project(tree.root))] == ["user"]
    assert "There are no examples any more." in tree.run("remove", "--examples", code=1)
    tree.run("new", "book", *BOOK)  # what a person begins with
    check_whole(tree)


@shop
@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_can_be_removed_alone_or_says_who_needs_it(tree: Tree, name: str) -> None:
    project = Project(tree.root)
    others = dependents(project, [find_feature(project, name)])
    if others:
        assert others[0].relative_to(tree.root).as_posix() in tree.run("remove", name, code=1)
        return
    tree.run("remove", name)
    assert name not in [each.name for each in features(Project(tree.root))]
    check_whole(tree)


@shop
@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_can_be_copied_or_says_why_not(tree: Tree, name: str) -> None:
    tree.run("migrate")
    files, schema = tree.files(), tree.schema()
    if name not in COPIED:
        assert "know each other" in tree.run("copy", name, "gift-card", code=1)
        return
    passed = re.search(r"(\d+) tests passed", tree.run("copy", name, "gift-card"))
    assert passed
    assert int(passed[1]) > 20
    tree.run("remove", "gift-card")
    assert (tree.files(), tree.schema()) == (files, schema)


WIDE = {
    "label": ["name:str:50:unique", "--write=staff"],
    "note": ["title:str:200:unique", "body:text:optional", "--owned", "--soft-delete", "--uuid"],
    "gadget": [
        *("name:str:200:unique", "description:text:optional", "price:decimal", "stock:int=0"),
        *("rating:int:min=1:max=5", "status:enum:draft/published/archived=draft"),
        *("opens:time=09:00", "birth_date:date", "starts_at:datetime", "active:bool=true"),
        *("weight:float", "data:json:optional", "contact:email:unique", "site:url", "token:uuid"),
        *("color:str:7:index", "handle:slug:unique", "big:bigint:optional"),
    ],
    "gizmo": [
        *("code:int:unique", "rate:decimal:4.4:unique", "part:decimal:15.0:optional"),
        *("on:date:unique:optional", "moment:datetime:unique", "clock:time:unique"),
        *("link:url:unique", "key:uuid:unique", "big:bigint:unique", "slugged:slug:index"),
        *("ratio:float:unique:min=0:max=1", "mail:email:index", "site:url:index", "letter:str:1"),
        *("word:str:5:unique", 'extra:json={"a":[1]}', "flag:bool:optional", "memo:text:optional"),
        *("kind:enum:a/b:optional", "level:int:min=0:max=1", "pct:decimal:5.2:min=0:max=100"),
        *("when:datetime=2026-01-01T00:00:00Z", "day:date=2026-01-31", "cost:decimal=9.90"),
        *("nick:str:20=none", "hexa:slug=a-b", "--soft-delete"),
    ],
    "person": [
        *("first_name:str:80", "note:ref:optional", "owner:ref:users", "badge:ref:labels:unique"),
        *("reviewer:ref:users:optional", "boss:ref:self:optional", "friend:ref:self:optional"),
        *("--write=admin", "--uuid"),
    ],
    "playlist": ["notes:many", "people:many", "helper:ref:users:optional", "--owned", "--uuid"],
    "frame": ["labels:many"],
    "folder": ["name:str:80", "note:ref", "parent:ref:self:optional", "--owned"],
    "article": ["title:str", "author:ref:users", "parent:ref:self:optional", "labels:many"],
    "heart": ["note:ref", "article:ref", "--write=anyone"],
}


def test_every_type_relation_and_option_on_three_databases(tree: Tree) -> None:
    tree.run("migrate")
    files, schema = tree.files(), tree.schema()
    for entity, words in WIDE.items():
        tree.run("new", entity, *words, "--no-test")
    assert "No faults" in tree.run("check")
    plurals = ("labels", "notes", "gadgets", "gizmos", "people", "playlists", "folders")
    modules = [f"tests/test_{plural}.py" for plural in (*plurals, "articles", "hearts", "frames")]
    modules += [f"tests/test_{name}.py" for name in ("access", "architecture", "migrations")]
    for url in databases():
        said = tree.run("test", "--database", url, "-p", "no:cacheprovider", *modules)
        passed = re.search(r"(\d+) passed", said)
        assert passed, said
        assert int(passed[1]) > 800, said
    check_tools(tree)
    tree.run("remove", *WIDE)
    left = {name: text for name, text in tree.files().items() if "_cache/" not in name}
    assert (left, tree.schema()) == (files, schema)


def databases() -> list[str]:
    """SQLite, and those of `.ci/run`; without them, those that answer."""
    named = {
        "CI_POSTGRES_URL": "postgresql://postgres@127.0.0.1/app_test",
        "CI_MARIADB_URL": "mysql://root@127.0.0.1/app_test",
    }
    found = ["sqlite://"]
    for name, usual in named.items():
        try:
            found.append(prepare(os.environ.get(name) or usual))
        except CommandError as error:
            if name in os.environ:
                raise
            print(f"Without {name}: {error}")
    return found
