"""What is judged: the features, their files, tables, schemas and operations, all as they really
are."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sqlalchemy import Table
from sqlalchemy.orm import Mapper

from app.cli.checks.functions import Functions
from app.cli.checks.record import Record
from app.cli.checks.sources import Function, Source, Sources
from app.cli.scaffold.features import Feature
from app.cli.scaffold.project import Project
from app.core.config import get_settings

ACCESS = re.compile(r"^ACCESS\b[^=\n]*= (\[(?:[^\n]*\]$|\n.*?^\]))", re.DOTALL | re.MULTILINE)
Made = TypeVar("Made")

SHARED = "shared"  # what belongs to no feature
PARTS = ("schemas", "service", "router")  # a model with one of these wants to be a feature


@dataclass(frozen=True)
class Subject:
    """A row of the table: a feature, a router without tables, or tables without a router."""

    name: str
    files: frozenset[str]
    model: str = ""  # its class
    wanted: tuple[tuple[str, str], ...] = ()  # (part, file) of a feature

    @property
    def is_feature(self) -> bool:
        return bool(self.wanted)

    @property
    def tests(self) -> list[str]:
        return sorted(each for each in self.files if each.startswith("tests/"))


@dataclass(frozen=True)
class Operation:
    method: str
    path: str  # as in the OpenAPI document
    route: Any
    endpoint: Callable[..., Any]
    source: Source

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def node(self) -> Function:
        return self.source.functions[self.endpoint.__name__]

    @property
    def line(self) -> int:
        return self.node.lineno

    @property
    def dependencies(self) -> set[Any]:
        return set(_calls(self.route.dependant))

    @property
    def query(self) -> type[Any] | None:
        """The model of its query parameters."""
        return _model_of(self.route.dependant.query_params)

    @property
    def body(self) -> type[Any] | None:
        return _model_of(self.route.dependant.body_params)


def _calls(dependant: Any) -> Iterator[Any]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from _calls(each)


def _model_of(parameters: list[Any]) -> type[Any] | None:
    found = [each.field_info.annotation for each in parameters]
    return found[0] if len(found) == 1 and isinstance(found[0], type) else None


class Tree:
    def __init__(self, root: Path, record: Record | None = None) -> None:
        self.root = root
        self.sources = Sources(root)
        self.project = Project(root)
        self.record = Record.read(root) if record is None else record
        self.functions = Functions(self.sources)
        self._made: dict[Any, Any] = {}

    def once(self, make: Callable[["Tree"], Made]) -> Made:
        """What `make` makes of this tree, made when it is asked for the first time."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    # --- As it is imported

    @cached_property
    def app(self) -> Any:
        from app.main import app

        return app

    @cached_property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = self.app.openapi()
        return document

    @cached_property
    def mappers(self) -> list[Mapper[Any]]:
        from app.models import Base

        Base.registry.configure()
        return sorted(Base.registry.mappers, key=lambda mapper: mapper.class_.__name__)

    @cached_property
    def tables(self) -> dict[str, Table]:
        from app.models import Base

        return dict(Base.metadata.tables)

    @cached_property
    def operations(self) -> list[Operation]:
        """Those of the routers of `app/api`."""
        prefix = get_settings().api_prefix
        return [
            Operation(method, prefix + route.path, route, endpoint, self.sources.of(endpoint))
            for module in self.routers
            for route in module.router.routes
            for method in sorted(route.methods - {"HEAD", "OPTIONS"})
            for endpoint in [inspect.unwrap(route.endpoint)]
        ]

    @cached_property
    def routers(self) -> list[ModuleType]:
        import app.api

        names = sorted(module.name for module in pkgutil.iter_modules(app.api.__path__))
        modules = [importlib.import_module(f"app.api.{name}") for name in names]
        return [module for module in modules if hasattr(module, "router")]

    def described(self, operation: Operation) -> dict[str, Any]:
        """What the OpenAPI document says of it."""
        item = self.document["paths"].get(operation.path, {})
        found: dict[str, Any] = item.get(operation.method.lower(), {})
        return found

    # --- Features

    @cached_property
    def subjects(self) -> list[Subject]:
        found = list(self._of_models())
        taken = {name for each in found for name in each.files}
        found += [
            self._of_router(source)
            for source in self.sources.below("app/api")
            if source.name not in taken and "router" in source.values
        ]
        return sorted(found, key=lambda each: each.name)

    def _of_models(self) -> Iterator[Subject]:
        for model in self.project.models:
            if model.module != f"app.models.{model.singular}":
                continue  # one more class in the module of another one
            feature = Feature(model, self.project)
            known = self.project.files(model.names)
            there = [part for part in PARTS if known[part].exists()]
            wanted = [(part, self._name(known[part])) for part in (*PARTS, "tests") if there]
            files = frozenset(map(self._name, feature.files))
            yield Subject(feature.name, files, model.cls, tuple(wanted))

    def _of_router(self, source: Source) -> Subject:
        name = source.path.stem
        patterns = (f"app/schemas/{name}.py", f"app/services/{name}_service.py", source.name)
        tests = {s.name for s in self.sources.below("tests") if s.name == f"tests/test_{name}.py"}
        files = {each for each in patterns if each in self.sources.by_name}
        return Subject(name, frozenset(files | tests))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    @cached_property
    def owners(self) -> dict[str, str]:
        return {file: subject.name for subject in self.subjects for file in subject.files}

    def owner(self, file: str) -> str:
        return self.owners.get(file, SHARED)

    def operations_of(self, subject: Subject) -> list[Operation]:
        return [each for each in self.operations if each.source.name in subject.files]

    def mappers_of(self, subject: Subject) -> list[Mapper[Any]]:
        return [m for m in self.mappers if self.sources.of(m.class_).name in subject.files]

    def mapper_of(self, name: str) -> Mapper[Any] | None:
        return next((each for each in self.mappers if each.class_.__name__ == name), None)

    # --- Places

    def place_of(self, table: str, column: str = "") -> tuple[str, int]:
        """File and line of a column of a table, or of the class that has it."""
        for mapper in self.mappers:
            if getattr(mapper.local_table, "name", "") == table:
                source = self.sources.of(mapper.class_)
                keys = [a.key for a in mapper.column_attrs if a.columns[0].name == column]
                return source.name, source.line_of(mapper.class_.__name__, (keys or [column])[0])
        for source in self.sources.below("app/models"):
            for name, value in source.values.items():
                if isinstance(value, ast.Call) and _first(value) == table:
                    columns = (c for c in value.args if isinstance(c, ast.Call))
                    lines = [c.lineno for c in columns if _first(c) == column]
                    return source.name, (lines or [source.line_of_value(name)])[0]
        return "app/models/__init__.py", 1

    # --- Tests

    @cached_property
    def access_rows(self) -> dict[str, list[tuple[str, str, str]]]:
        """The ACCESS rows of the test modules, by file."""
        found = {}
        for source in self.sources.below("tests"):
            # By itself: to parse all test modules for it would be half of the time of all rules.
            if written := ACCESS.search(source.text):
                try:
                    found[source.name] = list(ast.literal_eval(written[1]))
                except (ValueError, SyntaxError):
                    continue  # not written out: `tests/test_access.py` imports them
        return found

    def tests_of(self, subject: Subject) -> list[str]:
        """The test modules that are called after it, or have rows of its operations."""
        prefix = get_settings().api_prefix
        keys = {(o.method, o.path.removeprefix(prefix)) for o in self.operations_of(subject)}
        with_rows = {
            file
            for file, rows in self.access_rows.items()
            if any((method, path) in keys for method, path, _ in rows)
        }
        return sorted(with_rows.union(subject.tests))

    def is_measured(self, subject: Subject) -> bool:
        modules = self.tests_of(subject)
        files = [self.root / file for file in subject.files.union(modules)]
        return bool(modules) and self.record.is_measured(self.root, modules, files)


def _first(call: ast.Call) -> object:
    return call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
