"""What the tree has already: entities, their columns, factories. Read as text, never imported."""

import ast
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from app.cli.console import CommandError
from app.cli.scaffold.names import Names, snake

LABELS = ("name", "title", "username", "label", "code")  # what a row is called by, if it has one


@dataclass(frozen=True)
class Model:
    """An entity that is there."""

    cls: str
    table: str
    module: str  # app.models.product
    bases: frozenset[str]
    members: dict[str, str] = field(hash=False)  # attribute and annotation, as written
    private: bool = False  # only its owner reads it
    owned: bool = False  # its owner reads it, and perhaps the staff

    @property
    def singular(self) -> str:
        return snake(self.cls)

    @property
    def names(self) -> Names:
        return Names(self.singular, self.table)

    @property
    def has_uuid(self) -> bool:
        return "UuidMixin" in self.bases

    @property
    def label(self) -> str | None:
        if self.private:
            return None  # what a row is called is not for those who only refer to it
        return next((name for name in LABELS if self.members.get(name) == "Mapped[str]"), None)


@dataclass(frozen=True)
class Project:
    root: Path

    @cached_property
    def models(self) -> list[Model]:
        return [
            replace(model, private=self._is_private(model), owned=self._is_owned(model))
            for path in sorted((self.root / "app/models").glob("*.py"))
            for model in _models_of(path)
        ]

    def _is_private(self, model: Model) -> bool:
        return bool(re.search(rf"\b{model.cls}\.user_id == user\.id\s*\)", self._service(model)))

    def _is_owned(self, model: Model) -> bool:
        """Whether its service asks whose a row is, and not everybody reads it all the same."""
        column, user = rf"\b{model.cls}\.user_id\b", r"\buser\.id\b"
        asks = re.search(rf"{column}\s*==\s*{user}|{user}\s*==\s*{column}", self._service(model))
        tests = self.files(model.names)["tests"]
        public = rf'\("GET", "[^"]*/{model.names.url}\b[^"]*", "anyone"\)'
        return bool(asks) and not (tests.exists() and re.search(public, tests.read_text("utf-8")))

    def _service(self, model: Model) -> str:
        path = self.root / f"app/services/{model.singular}_service.py"
        return path.read_text("utf-8") if path.exists() else ""

    @cached_property
    def tables(self) -> set[str]:
        """All of them, those that only connect two others included."""
        named = re.compile(r'(?:__tablename__ = |\bTable\(\s*)"(\w+)"')
        files = (self.root / "app/models").glob("*.py")
        return {name for path in files for name in named.findall(path.read_text("utf-8"))}

    def find(self, typed: str) -> Model | None:
        """The entity of a name in any spelling, in the singular or plural."""
        name = snake(typed)
        for model in self.models:
            if name in (model.singular, model.table):
                return model
        return None

    def factory(self, model: Model) -> str:
        """The test module that has `make_x`."""
        for path in sorted((self.root / "tests").glob("*.py")):
            if f"\ndef make_{model.singular}(" in path.read_text("utf-8"):
                return f"tests.{path.stem}"
        raise CommandError(
            f"The tests of a reference to {model.table} need rows of it: write a function "
            f"make_{model.singular}(**values) in tests/test_{model.table}.py."
        )

    def files(self, names: Names) -> dict[str, Path]:
        """The five files of a feature, the router last, because it is what shows it."""
        return {
            "model": self.root / f"app/models/{names.singular}.py",
            "schemas": self.root / f"app/schemas/{names.singular}.py",
            "service": self.root / f"app/services/{names.singular}_service.py",
            "tests": self.root / f"tests/test_{names.plural}.py",
            "router": self.root / f"app/api/{names.plural}.py",
        }


def _models_of(path: Path) -> list[Model]:
    found = []
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except SyntaxError as error:
        where = f"{path.name}, line {error.lineno}"
        raise CommandError(f"{where}: {error.msg}. Mend it first.") from None
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        table = _table_of(node)
        if table is None:
            continue
        members = {
            each.target.id: ast.unparse(each.annotation)
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        }
        members |= {each.name: "" for each in node.body if isinstance(each, ast.FunctionDef)}
        bases = frozenset(base.id for base in node.bases if isinstance(base, ast.Name))
        found.append(Model(node.name, table, f"app.models.{path.stem}", bases, members))
    return found


def _table_of(node: ast.ClassDef) -> str | None:
    for each in node.body:
        if (
            isinstance(each, ast.Assign)
            and isinstance(each.targets[0], ast.Name)
            and each.targets[0].id == "__tablename__"
            and isinstance(each.value, ast.Constant)
        ):
            return str(each.value.value)
    return None
