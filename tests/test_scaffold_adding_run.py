"""`add-field` as a person runs it, in a copy of the tree, with rows in the table.

Minutes: `python run.py test --slow` runs them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from app.cli.testing import prepare
from app.core.config import ROOT, Settings
from app.core.engines import make_engine
from tests.servers import copy_tree, environment

pytestmark = pytest.mark.slow
URLS = {
    "sqlite": "",
    "postgresql": os.environ.get("CI_POSTGRES_URL", "postgresql://postgres@127.0.0.1/field_test"),
    "mariadb": os.environ.get("CI_MARIADB_URL", "mysql://root@127.0.0.1/field_test"),
}
EVERYTHING = [
    *("stock:int=0", "status:enum:draft/published=draft", "price:decimal=9.90", "opens:time=09:00"),
    *("day:date=2026-01-31", "since:datetime=2026-01-31T09:30:00Z", 'data:json={"a":"b:c"}'),
    *("active:bool=true", "weight:float=0.5", "big:bigint=9007199254740991", "handle:slug=a-b"),
    *("body:text=It's 100% \\ new: yes", "site:url=https://example.com", "token:uuid:optional"),
    *("mail:email:unique:optional", "color:str:7:index:default=Ação", "code:int:unique:optional"),
    *("shelf:ref:optional", "editor:ref:users:optional", "parent:ref:self:optional"),
    "readers:many:users",
]
VALUES = {
    "stock": 0,
    "status": "draft",
    "active": 1,
    "weight": 0.5,
    "big": 9007199254740991,
    "handle": "a-b",
    "body": "It's 100% \\ new: yes",
    "color": "Ação",
    "token": None,
    "mail": None,
    "mail_key": None,
    "code": None,
    "shelf_id": None,
    "parent_id": None,
}


class Tree:
    def __init__(self, folder: Path, url: str) -> None:
        self.root = copy_tree(folder / "tree")
        self.url = url or f"sqlite:///{folder / 'app.db'}"

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "run.py", *arguments],
            cwd=self.root,
            env=environment(DATABASE_URL=self.url, SECRET_KEY="s" * 32, COLUMNS="200"),
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
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


@pytest.fixture(params=URLS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tree]:
    """With books, three of them."""
    tree = Tree(tmp_path, URLS[request.param])
    if URLS[request.param]:
        prepare(tree.url)
        empty(tree.url)
    tree.run("new", "shelf", "name:str:100", "--no-test")
    tree.run("new", "book", "title:str:200:unique", "--no-test")
    with connected(tree.url) as connection:
        for index in range(3):
            connection.execute(
                text(
                    "INSERT INTO books (title, title_key, version, search_text)"
                    f" VALUES ('T{index}', 't{index}', 1, 't{index}')"
                )
            )
    yield tree
    if URLS[request.param]:
        empty(tree.url)


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A transaction of its own."""
    settings = Settings(database_url=url)
    own = make_engine(settings.database_url, settings)
    try:
        with own.begin() as connection:
            yield connection
    finally:
        own.dispose()


def empty(url: str) -> None:
    """Drop all that a test before has left."""
    with connected(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        else:
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
            for name in inspect(connection).get_table_names():
                connection.execute(text(f"DROP TABLE {name}"))
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))


def rows(tree: Tree) -> list[dict[str, Any]]:
    with connected(tree.url) as connection:
        found = connection.execute(text("SELECT * FROM books ORDER BY id")).mappings()
        return [dict(row) for row in found]


def schema(tree: Tree) -> Any:
    with connected(tree.url) as connection:
        inspector = inspect(connection)
        return {
            table: [
                sorted(map(str, getattr(inspector, f"get_{kind}")(table)))
                for kind in ("columns", "indexes", "unique_constraints", "foreign_keys")
            ]
            for table in inspector.get_table_names()
        }


def test_every_kind_of_field_on_a_table_with_rows(tree: Tree) -> None:
    before, known = schema(tree), rows(tree)
    tree.run("add-field", "book", *EVERYTHING, "--no-test")
    for old, row in zip(known, rows(tree), strict=True):
        assert row | VALUES == row
        assert str(row["price"]) in ("9.9", "9.90")
        assert str(row["day"]) == "2026-01-31"
        assert str(row["since"]).startswith("2026-01-31 09:30:00")
        assert str(row["opens"]).removeprefix("0").startswith("9:00:00")
        data = row["data"] if isinstance(row["data"], dict) else json.loads(row["data"])
        assert data == {"a": "b:c"}
        assert row | {name: old[name] for name in old if name != "search_text"} == row
        assert row["search_text"].startswith(f"{old['search_text']}\n")
    if tree.url.startswith("sqlite"):
        files = tree.files()
        assert "Nothing to do." in tree.run("add-field", "book", *EVERYTHING)
        assert tree.files() == files
    tree.run("test", "--database", "sqlite://", "tests/test_books.py", "-p", "no:cacheprovider")
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        subprocess.run([sys.executable, "-m", *tool], cwd=tree.root, check=True)
    tree.run("migrate", "-1")
    assert schema(tree) == before
    assert [row["title"] for row in rows(tree)] == ["T0", "T1", "T2"]
    tree.run("migrate")
    assert rows(tree)[0] | VALUES == rows(tree)[0]
    if tree.url.startswith("mysql"):
        cut_short = ("tests/test_migrations.py", "-k", "left_behind", "-p", "no:cacheprovider")
        assert "1 passed" in tree.run("test", "--database", tree.url, *cut_short)
    tree.run("remove", "book", "--force")
    assert "books" not in schema(tree)


def test_what_fails_changes_nothing(tree: Tree) -> None:
    files, before = tree.files(), schema(tree)
    assert "no value for it" in tree.run("add-field", "book", "pages:int", code=1)
    assert "+    pages: " in tree.run("add-field", "book", "pages:int=1", "--dry-run")
    assert (tree.files(), schema(tree)) == (files, before)
    with connected(tree.url) as connection:
        connection.execute(text("ALTER TABLE books ADD COLUMN pages INTEGER"))
    said = tree.run("add-field", "book", "pages:int=1", "--no-test", code=1)
    assert "has a column pages that the model does not know" in said
    # The migration itself fails: half of it was done on MySQL.
    with connected(tree.url) as connection:
        connection.execute(text("ALTER TABLE books DROP COLUMN pages"))
        connection.execute(text("CREATE INDEX ix_books_pages ON books (version)"))
    before = schema(tree)
    tree.run("add-field", "book", "pages:int=1", "--no-test", code=1)
    assert (tree.files(), schema(tree)) == (files, before)
    # So does that of a new feature, behind its first table.
    fails(tree.root / "alembic/script.py.mako")
    files = tree.files()
    said = tree.run("new", "novel", "title:str", "books:many", "--no-test", code=1)
    assert "The migration fails" in said
    assert (tree.files(), schema(tree)) == (files, before)


def fails(template: Path) -> None:
    """Let the migrations from now on end in what no database takes."""
    end = "\n    op.execute('fail')\n\n\ndef downgrade"
    template.write_text(template.read_text("utf-8").replace("\n\n\ndef downgrade", end), "utf-8")


def test_what_an_owned_row_refers_to_from_now_on_is_its_owners(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "")
    tree.run("new", "folder", "name:str:80", "--owned", "--no-test")
    tree.run("new", "memo", "title:str:200", "--owned", "--no-test")
    tree.run("new", "sheet", "body:text", "folder:ref", "tabs:many:folders", "--owned", "--no-test")
    for name in ("memo", "sheet"):
        for words in (["other:ref:folder:optional"], ["up:ref:self:optional", "more:many:folders"]):
            said = tree.run("add-field", name, *words)
            assert "tests passed" in said
            assert "!" not in said
        tests = (tree.root / f"tests/test_{name}s.py").read_text("utf-8")
        for relation in ("other", "up"):
            assert f"def test_the_{relation}_of_another_is_refused(" in tests
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        subprocess.run([sys.executable, "-m", *tool], cwd=tree.root, check=True)


@pytest.mark.skipif(
    not (ROOT / "app/models/category.py").exists(), reason="the examples were removed"
)
def test_every_shipped_feature_grows(tmp_path: Path) -> None:
    """With its own tests, and those of all features, green."""
    tree = Tree(tmp_path, "")
    for words in (
        ["product", "weight:int=0", "supplier:ref:users:optional", "sku:str:20:unique:optional"],
        ["review", "title:str:100:optional", "helpful:int=0"],
        ["order", "note:text:optional", "priority:enum:low/high=low"],
        ["post", "subtitle:str:200:optional", "editor:ref:users:optional"],
        ["comment", "pinned:bool=false"],
        ["tag", "color:str:7:optional"],
        ["user", "phone:str:20:optional"],
        ["category", "icon:str:50=star", "owners:many:users"],
    ):
        tree.run("add-field", *words, "--no-test")
    said = tree.run("test", "tests", "-p", "no:cacheprovider")
    assert " failed" not in said
