"""A rule: a function that yields faults. Its docstring is what `check --explain` prints.

@rule("R07", Point.MIGRATION, "Each migration goes down and up again")
def reversible(tree: Tree) -> Iterator[Fault]: ...
"""

import enum
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.cli.checks.tree import Tree


class Point(enum.StrEnum):
    """The columns of the table: the ten points of a feature, and what goes wrong anywhere."""

    MODEL = "Model"
    MIGRATION = "Migration"
    SERVICE = "Service"
    API = "API"
    SCHEMAS = "Schemas"
    TESTS = "Tests"
    INDEXES = "Indexes"
    ERRORS = "Errors"
    DOCS = "Docs"
    RELATIONSHIPS = "Relationships"
    PITFALLS = "Pitfalls"


class Needs(enum.StrEnum):
    """What a rule looks at. Without it, it judges nothing."""

    SOURCES = "sources"  # the files as they are written
    MODELS = "models"  # these, and the imported models
    APP = "app"  # the imported app: mappers, schemas, routes, OpenAPI document
    RECORD = "record"  # the last test run, and the app


@dataclass(frozen=True, order=True)
class Fault:
    """file: below the root, with `/`. fix: what `--fix` does about it, where that is mechanical."""

    file: str
    line: int
    what: str
    remedy: str
    rule: str = ""
    fix: "Fix | None" = None


@dataclass(frozen=True, order=True)
class Fix:
    """kind: index, migration, def, decorator, access; target: what of the file it is done to."""

    kind: str
    target: str = ""
    value: str = ""


Check = Callable[["Tree"], Iterable[Fault]]


@dataclass(frozen=True)
class Rule:
    id: str
    point: Point
    title: str
    needs: Needs
    check: Check

    @property
    def paragraph(self) -> str:
        return inspect.getdoc(self.check) or ""


RULES: dict[str, Rule] = {}


def rule(name: str, point: Point, title: str, needs: Needs = Needs.APP) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        if name in RULES:
            raise RuntimeError(f"there are two rules {name}")
        RULES[name] = Rule(name, point, title, needs, check)
        return check

    return add
