"""The features that are there: their files, their tables, and who refers to them."""

import ast
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path

from app.cli.console import CommandError
from app.cli.scaffold.names import snake
from app.cli.scaffold.project import Model, Project

TABLE = re.compile(r'(?:__tablename__ = |\bTable\(\s*)"(\w+)"')


@dataclass(frozen=True)
class Feature:
    """A module of models, and the files that stand on it."""

    model: Model  # the one that the module is named after
    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def name(self) -> str:
        return self.model.singular

    @cached_property
    def files(self) -> list[Path]:
        """Those that are there, the router first."""
        known = self.project.files(self.model.names)
        seeds = self.root / f"app/cli/seeds/{self.model.table}.py"
        wanted = [known[key] for key in ("router", "service", "schemas", "tests", "model")]
        found = [path for path in (wanted[0], seeds, *wanted[1:]) if path.exists()]
        return [*self.companions, *found]

    @cached_property
    def companions(self) -> list[Path]:
        """What is called after the feature, such as `order_reports`, and is no feature itself."""
        project = self.project
        others = {path for model in project.models for path in project.files(model.names).values()}
        beginnings = (f"{self.name}_", f"{self.model.table}_")
        return [
            path
            for folder in ("app/api", "app/services", "app/schemas", "tests")
            for path in sorted((self.root / folder).glob("*.py"))
            if path.stem.removeprefix("test_").startswith(beginnings) and path not in others
        ]

    @property
    def is_whole(self) -> bool:
        return all(path.exists() for path in self.project.files(self.model.names).values())

    @property
    def modules(self) -> set[str]:
        return {_module(self.root, path) for path in self.files}

    @property
    def source(self) -> str:
        return (self.root / f"app/models/{self.name}.py").read_text("utf-8")

    @property
    def tables(self) -> set[str]:
        return set(TABLE.findall(self.source))

    @property
    def classes(self) -> list[str]:
        return [node.name for node in ast.parse(self.source).body if isinstance(node, ast.ClassDef)]


def features(project: Project) -> list[Feature]:
    found = [
        Feature(model, project)
        for model in project.models
        if model.module == f"app.models.{model.singular}"
    ]
    return [each for each in found if each.is_whole]


def find_feature(project: Project, typed: str) -> Feature:
    known = features(project)
    name = snake(typed)
    for feature in known:
        if name in (feature.name, feature.model.table):
            return feature
    names = [each.name for each in known]
    near = get_close_matches(name, names, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
    raise CommandError(f"There is no feature {typed}. {hint}")


def dependents(project: Project, leaving: list[Feature]) -> list[Path]:
    """The files that stay and import something that leaves."""
    gone = {path for feature in leaving for path in feature.files}
    modules = {module for feature in leaving for module in feature.modules}
    return [
        path
        for folder in ("app", "tests")
        for path in sorted((project.root / folder).rglob("*.py"))
        if path not in gone and modules & imported(path)
    ]


def imported(path: Path) -> set[str]:
    """The modules that a file imports when it runs: not those that only a type checker sees."""
    return _imported(path.read_text("utf-8"))


BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)


@lru_cache(1000)  # the same files are asked for each feature, and parsing them all takes a moment
def _imported(source: str) -> set[str]:
    found = set()
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        # An expression imports nothing, and most of a file is expressions.
        nodes += (each for each in ast.iter_child_nodes(node) if isinstance(each, BLOCKS))
    return found


# A migration of the template's (0002); those that a person makes have names by chance.
NUMBERED = re.compile(r'^revision = "\d{4}"$', re.MULTILINE)


def shipped(project: Project) -> list[Feature]:
    """The features that the template was shipped with, but for those that it stands on itself.

    They are told by their migrations.
    """
    versions = project.root / "alembic/versions"
    texts = [path.read_text("utf-8") for path in sorted(versions.glob("*.py"))]
    shipped = {
        table
        for text in texts
        if NUMBERED.search(text)
        for table in re.findall(r'create_table\(\s*"(\w+)"', text)
    }
    everything = features(project)
    found = [each for each in everything if each.model.table in shipped]
    own = {path for each in everything if each not in found for path in each.files}
    app = project.root / "app"
    while True:
        # What something imports that stays is no example: it is what the others stand on. But for
        # what a person has made: that has to go first, or to let go of the example.
        leaving = own.union(path for each in found for path in each.files)
        core = [
            each
            for each in found
            if any(
                path.is_relative_to(app) and path not in leaving
                for path in dependents(project, [each])
            )
        ]
        if not core:
            return found
        found = [each for each in found if each not in core]


def _module(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)
