"""`add-field`, in text: what it writes into living features, and what it refuses."""

import ast
import difflib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.console import CommandError
from app.cli.scaffold.adding import remarks
from app.cli.scaffold.addition import Addition, read_addition
from app.cli.scaffold.building import Building
from app.cli.scaffold.describing import describe
from app.cli.scaffold.filling import as_text, values_of
from app.cli.scaffold.making import write_files, write_sides
from app.cli.scaffold.project import Project
from app.cli.scaffold.workshop import Workshop
from app.core.config import ROOT

pytestmark = pytest.mark.slow

BOOK = ["title:str:200", "shelf:ref"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users, shelves to refer to, and books."""
    root = tmp_path_factory.mktemp("made") / "tree"
    for name in ("app/models/user.py", "tests/factories.py", "pyproject.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in ("schemas", "services", "api"):
        (root / "app" / name).mkdir()
    new(root, "shelf", ["name:str:100:unique"])
    new(root, "book", BOOK)
    new(root, "folder", ["name:str:80"], owned=True)
    return root


@pytest.fixture
def tree(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "tree"))


def new(tree: Path, name: str, fields: list[str], **options: Any) -> None:
    shop, project = Workshop(tree, tree), Project(tree)
    entity = describe(project, name, fields, **options)
    write_files(project, entity, shop)
    write_sides(project, entity, shop)


def read(tree: Path, name: str, *fields: str) -> Addition:
    return read_addition(Project(tree), name, list(fields))


def add(tree: Path, name: str, *fields: str) -> list[str]:
    """What it remarks on."""
    addition = read(tree, name, *fields)
    building = Building(addition, values_of(addition), Workshop(tree, tree))
    building.write()
    return remarks(addition, building)


def texts(tree: Path) -> dict[str, str]:
    return {
        path.relative_to(tree).as_posix(): path.read_text("utf-8")
        for path in sorted(tree.rglob("*.py"))
    }


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The lines that came and went, with their signs."""
    return [
        f"{name}: {line.rstrip()}"
        for name in after
        for line in difflib.ndiff(before[name].splitlines(), after[name].splitlines())
        if line[0] in "+-"
    ]


CASES: list[tuple[list[str], list[str], dict[str, Any]]] = [
    (
        ["title:str:200"],
        [
            *("status:enum:draft/published=draft", "price:decimal=9.90", "opens:time=09:00"),
            *("day:date:optional", "when:datetime:optional", "data:json:optional"),
            *("active:bool=true", "site:url:optional", "mail:email:unique:optional"),
            *("token:uuid:optional", "handle:slug:optional", "body:text:optional"),
            *("weight:float:optional", "big:bigint=3", "color:str:7:index:default=none"),
        ],
        {},
    ),
    (
        ["title:str:200:unique", "shelf:ref"],
        ["other:ref:shelf:optional", "parent:ref:self:optional", "readers:many:users"],
        {"soft_delete": True, "uuid": True, "write": "staff"},
    ),
    (["title:str:200"], ["folder:ref:optional", "pages:int=0"], {"owned": True}),
    (
        ["title:str:200:optional", "folder:ref", "shelf:ref"],
        ["other:ref:folder:optional", "parent:ref:self:optional", "color:ref:shelf:optional"],
        {"owned": True, "uuid": True},
    ),
    (["title:str:200", "folder:ref"], ["others:many:folders"], {"owned": True}),
    (
        ["title:str:200", "readers:many:users"],
        ["others:many:folders", "folder:ref:optional"],
        {"owned": True},
    ),
    (["title:str:200"], ["others:many:folders", "parent:ref:self:optional"], {"owned": True}),
]


def test_it_writes_what_new_would_have_written(tree: Path, tmp_path: Path) -> None:
    for index, (first, second, options) in enumerate(CASES):
        whole, grown = (shutil.copytree(tree, tmp_path / f"{index}{name}") for name in "ab")
        new(whole, "novel", [*first, *second], **options)
        new(grown, "novel", first, **options)
        add(grown, "novel", *second)
        assert difference(texts(whole), texts(grown)) == [], second


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_terminal_it_asks_for_what_the_rows_get(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    fields = ["pages:int:min=1", "isbn:str:13"]
    whole = Path(shutil.copytree(tree, tmp_path / "whole"))
    new(whole, "novel", [*BOOK, *fields])
    new(tree, "novel", BOOK)
    monkeypatch.setattr("sys.stdin", Terminal("many\n0\n7\n-\n"))
    add(tree, "novel", *fields)
    assert difference(texts(whole), texts(tree)) == []
    asked = capsys.readouterr().err
    assert asked.count("What do the novels that are there get for pages?") == 3
    assert "'many' is no int" in asked


def test_who_gives_no_answer_is_told_what_to_write(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(tree, "novel", BOOK)
    monkeypatch.setattr("sys.stdin", Terminal("many\n"))
    with pytest.raises(CommandError, match="Write pages:int=0 or pages:int:optional"):
        add(tree, "novel", "pages:int")


MINE = '''\
"""My books."""

from sqlalchemy import   String
from app.models.base import Base, IdMixin, TimestampMixin, unique_key, SearchMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship
import os  # I need it later


class Book( Base, IdMixin, TimestampMixin, SearchMixin ):
    """One book.   Not two."""
    __tablename__ = "books"
    def shout(self) -> str: return self.title.upper()

    searched = ( 'title', )   # and nothing else
    # What it is called.
    title: Mapped[str] = mapped_column(String(200),
                                       index=True)


    @property
    def short(self) -> str:
        return self.title[:10]   # ten
'''


def test_code_of_a_person_stays_to_the_letter(tree: Path) -> None:
    model = tree / "app/models/book.py"
    model.write_bytes(MINE.replace("\n", "\r\n").encode())  # written on Windows
    schemas = tree / "app/schemas/book.py"
    text = schemas.read_text("utf-8").replace(
        "class BookUpdate", "# A rule of mine.\nLONGEST = 7\n\n\nclass BookUpdate"
    )
    schemas.write_text(text, "utf-8")
    before = texts(tree)
    add(tree, "book", "stock:int=0", "isbn:str:13:optional")
    lines = model.read_bytes().splitlines(keepends=True)
    assert [line for line in lines if not line.endswith(b"\r\n")] == []
    changed = difference(before, texts(tree))
    assert [line for line in changed if line.startswith("app/models/book.py")] == [
        "app/models/book.py: -     searched = ( 'title', )   # and nothing else",
        "app/models/book.py: +     searched = ( 'title', \"isbn\" )   # and nothing else",
        "app/models/book.py: +     stock: Mapped[int] = mapped_column(default=0, index=True)",
        "app/models/book.py: +     isbn: Mapped[str | None] = mapped_column(String(13))",
    ]
    gone = [line for line in changed if line.startswith("app/schemas/book.py: -")]
    assert len(gone) == 1
    assert 'sort: str = sortable("title", "created_at"' in gone[0]


def test_a_field_may_be_called_as_a_schema_is(tree: Path) -> None:
    add(tree, "book", "read:str:optional", "create:str:20:optional")
    schemas = (tree / "app/schemas/book.py").read_text("utf-8")
    assert "BookReadValue = Annotated[" in schemas
    assert schemas.count("BookCreate =") == 0
    compile(schemas, "book.py", "exec")


def test_the_same_again_is_there_already(tree: Path) -> None:
    fields = ["stock:int=0", "owner:ref:users:optional", "readers:many:users", "isbn:str:13"]
    add(tree, "book", *fields[:3])
    addition = read(tree, "book", *fields)
    assert [field.name for field in addition.there] == ["stock", "owner", "readers"]
    assert [each.name for each in addition.entity.attributes] == ["isbn"]


@pytest.fixture
def refusal(tree: Path) -> Callable[..., str]:

    def refuse(*fields: str, name: str = "book") -> str:
        before = texts(tree)
        with pytest.raises(CommandError) as caught:
            add(tree, name, *fields)
        assert texts(tree) == before
        return str(caught.value)

    return refuse


def test_what_cannot_be_is_refused_in_one_line(
    tree: Path, refusal: Callable[..., str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with (tree / "app/schemas/book.py").open("a", encoding="utf-8") as file:
        file.write("\n\nBookSeal = int\n")
    said = {
        "stock:int": "Write stock:int=0 or stock:int:optional",
        "isbn:str:13": "Write isbn:str:13:default=none or isbn:str:13:optional",
        "token:uuid": "Write token:uuid:optional",
        "isbn:str:13:unique": "Make it optional",
        "owner:ref:users": "Write owner:ref:users:optional",
        "title:str:300": "Book has a title already, and another one",
        "seal:str:optional": "something called BookSeal already",
        "stock:int=x": "the default 'x' is no int",
        "stock:int=0:optional": "is no int",
        "stok:itn=0": "Did you mean stok:int?",
        "book:int=0": "the entity's own name",
        "house:ref:optional": "there is no house to refer to",
        "created_at:int=0": "every feature has",
    }
    told = {field: refusal(field) for field in said}
    assert {field: told[field] for field, part in said.items() if part not in told[field]} == {}
    assert "Name the fields" in refusal()
    assert "Did you mean book?" in refusal("stock:int=0", name="boook")
    assert "circle" in refusal("best:ref:books:optional", name="shelf")


def test_a_file_without_the_expected_form_is_named(tree: Path, refusal: Callable[..., str]) -> None:
    changes = [
        ("app/services/book_service.py", "class BookService", "class Books"),
        ("app/schemas/book.py", "class BookUpdate", "class BookChange"),
        ("app/schemas/book.py", "class BookRead", "class BookAnswer"),
        ("app/services/book_service.py", "**data.model_dump()", "title=data.title"),
        ("app/models/book.py", 'searched = ("title",)', "searched = NAMES"),
        (
            "app/schemas/book.py",
            "class BookParams(SearchParams):",
            "class BookParams: x = 1\nif 1:",
        ),
    ]
    for name, old, changed in changes:
        path = tree / name
        text = path.read_text("utf-8")
        path.write_text(text.replace(old, changed), "utf-8")
        if "data.title" in changed:
            add(tree, "book", "stock:int=0")  # which is passed on
            assert "Book(title=data.title, stock=data.stock)" in path.read_text("utf-8")
        else:
            said = refusal("isbn:str:13:optional")
            assert said.startswith(f"{name}: looked for "), said
        path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("old", "changed", "unfit"),
    [
        ("**data.model_dump()))", "title=data.title))", ["create_novel"]),
        ("data.changes()", "told(data)", ["update_novel"]),
        ("novel = get_or_404", "row = get_or_404", ["replace_novel", "update_novel"]),
        ("data.model_dump())", "dict(data.model_dump()))", []),
    ],
)
def test_where_nobody_asks_whose_it_is_that_is_told(
    tree: Path, old: str, changed: str, unfit: list[str]
) -> None:
    new(tree, "novel", ["title:str:200"], owned=True)
    path = tree / "app/services/novel_service.py"
    path.write_text(path.read_text("utf-8").replace(old, changed), "utf-8")
    said = add(tree, "novel", "folder:ref:optional")
    service = methods(path)
    for name in ("create_novel", "replace_novel", "update_novel"):
        assert ("_only_own(" in service[name]) == (name not in unfit)
    assert [f"let {' and '.join(unfit)} ask" in line for line in said] == ([True] if unfit else [])
    tests = (tree / "tests/test_novels.py").read_text("utf-8")
    assert ("test_the_folder_of_another_is_refused" in tests) == (not unfit)
    assert "folder_id=make_folder(user_id=user.id).id" in tests


def methods(path: Path) -> dict[str, str]:
    """The methods of the first class of a module."""
    tree = ast.parse(path.read_text("utf-8"))
    (service,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        node.name: ast.unparse(node) for node in service.body if isinstance(node, ast.FunctionDef)
    }


def test_who_asks_in_another_way_is_left_alone(tree: Path) -> None:
    new(tree, "novel", ["title:str:200", "folder:ref:optional"], owned=True)
    path = tree / "app/services/novel_service.py"
    text = path.read_text("utf-8").replace("    return values\n", "    return dict(values)\n")
    path.write_text(text, "utf-8")
    (said,) = add(tree, "novel", "other:ref:folder:optional")
    assert "NovelService takes another user's other" in said
    assert 'field="other_id")' in said
    assert path.read_text("utf-8") == text


def test_a_value_is_written_as_all_databases_read_it(tree: Path) -> None:
    fields = {
        "active:bool=true": "1",
        "price:decimal=9.90": "9.90",
        "opens:time=09:00": "09:00:00.000000",
        "when:datetime=2026-01-31T09:30:00+02:00": "2026-01-31 07:30:00.000000",
        'data:json={"a":1}': '{"a": 1}',
    }
    values = values_of(read(tree, "book", *fields))
    assert [as_text(value) for value in values.values()] == list(fields.values())
