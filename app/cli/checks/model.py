"""Model: on `Base`, typed, in a plural table, with timestamps, of types that every database has."""

import ast
import importlib
from collections.abc import Iterator

from sqlalchemy import DateTime, String

from app.cli.checks.rules import Fault, Needs, Point, rule
from app.cli.checks.sources import last_name
from app.cli.checks.tree import Tree
from app.cli.scaffold.names import plural, snake


@rule("R01", Point.MODEL, "A model stands on Base")
def on_base(tree: Tree) -> Iterator[Fault]:
    """A class with a `__tablename__` that is no child of `app.models.base.Base` is in no metadata
    that Alembic compares: its table is never made. It has no `version`, so no `ETag`, and its
    constraints have no names by which a migration could drop them."""
    from app.models import Base

    for source in tree.sources.below("app/models"):
        module = importlib.import_module(source.module)
        for name, node in source.classes.items():
            cls: type[object] = getattr(module, name, object)
            if "__tablename__" in vars(cls) and not issubclass(cls, Base):
                yield Fault(
                    source.name,
                    node.lineno,
                    f"{name} is no child of Base",
                    f"write `class {name}(Base, IdMixin, TimestampMixin)`, from app.models.base",
                )


@rule("R02", Point.MODEL, "Columns and relationships are typed: Mapped[...]", Needs.SOURCES)
def typed(tree: Tree) -> Iterator[Fault]:
    """`name: Mapped[str] = mapped_column(...)` tells the type checker, the editor and SQLAlchemy
    the same: the type, and whether it may be null. `name = Column(...)` tells the database only."""
    for source in tree.sources.below("app/models"):
        for owner in source.classes.values():
            for node in owner.body:
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                    made = last_name(node.value.func)
                    better = "mapped_column" if made == "Column" else made
                    if made in ("Column", "mapped_column", "relationship"):
                        name = ast.unparse(node.targets[0])
                        yield Fault(
                            source.name,
                            node.lineno,
                            f"{owner.name}.{name} has no type",
                            f"write `{name}: Mapped[...] = {better}(...)`, with `| None` inside "
                            "when it may be null",
                        )


@rule("R03", Point.MODEL, "Tables are plural")
def plural_table(tree: Tree) -> Iterator[Fault]:
    """Table, router file, URL and tag have one name, the plural; model, schemas and service have
    the singular. Then one search finds all of a feature, and `copy` can rename it."""
    for mapper in tree.mappers:
        table = str(mapper.local_table.name)  # type: ignore[attr-defined]
        last = table.rpartition("_")[2]
        routed = f"app/api/{table}.py" in tree.sources.by_name  # `new --plural`
        if plural(last) != last and not routed:
            better = plural(snake(mapper.class_.__name__))
            file, line = tree.sources.of(mapper.class_), mapper.class_.__name__
            yield Fault(
                file.name,
                file.line_of(line, "__tablename__"),
                f"the table of {line} is called {table}",
                f'write `__tablename__ = "{better}"`, and a migration that renames it',
            )


@rule("R04", Point.MODEL, "A feature's rows know when they were made and changed")
def timestamps(tree: Tree) -> Iterator[Fault]:
    """`TimestampMixin` brings `created_at` and `updated_at`, which lists are sorted by and people
    ask for on the day that something went wrong. They cannot be filled in later."""
    for subject in tree.subjects:
        mapper = tree.mapper_of(subject.model)
        if not subject.is_feature or mapper is None:
            continue
        missing = {"created_at", "updated_at"} - set(mapper.columns.keys())
        if missing:
            source = tree.sources.of(mapper.class_)
            yield Fault(
                source.name,
                source.line_of(subject.model),
                f"{subject.model} has no {' and no '.join(sorted(missing))}",
                f"add TimestampMixin to the bases of {subject.model}, and a migration",
            )


@rule("R05", Point.MODEL, "Column types mean the same on every database")
def portable_types(tree: Tree) -> Iterator[Fault]:
    """MySQL makes no `String` without a length. A `DateTime` is stored without its zone by SQLite
    and MySQL and comes back as another moment: `Mapped[datetime]` is a moment in UTC on all of
    them."""
    for table in tree.tables.values():
        for column in table.columns:
            file, line = tree.place_of(table.name, column.name)
            if type(column.type) is String and not column.type.length:
                what, remedy = "has no length", "write String(200), or Text for more than a line"
            elif type(column.type) is DateTime:
                what = "is a DateTime, which loses its zone"
                remedy = "write `Mapped[datetime]` without a type: it becomes UtcDateTime"
            else:
                continue
            yield Fault(file, line, f"{table.name}.{column.name} {what}", remedy)
