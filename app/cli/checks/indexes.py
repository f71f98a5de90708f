"""Indexes: what rows are found by, kept together by, and sorted by."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, UniqueConstraint
from sqlalchemy.orm import Mapper

from app.cli.checks.functions import Code
from app.cli.checks.rules import Fault, Fix, Point, rule
from app.cli.checks.sources import dotted
from app.cli.checks.tree import Operation, Tree


@rule("R36", Point.INDEXES, "Every foreign key has an index")
def foreign_keys(tree: Tree) -> Iterator[Fault]:
    """Deleting a parent looks for its children, and every list of a parent's children does: without
    an index, in all rows. PostgreSQL and SQLite make none by themselves. An index that begins with
    the column is one, and so are a unique constraint and a primary key. `--fix` writes `index=True`
    and the migration."""
    for table in tree.tables.values():
        for column in table.columns:
            if column.foreign_keys and column.name not in {each[0] for each in indexes(table)}:
                file, line = tree.place_of(table.name, column.name)
                yield Fault(
                    file,
                    line,
                    f"{table.name}.{column.name} has no index",
                    "write index=True behind its ForeignKey, and a migration",
                    fix=Fix("index", column.name),
                )


@rule("R37", Point.INDEXES, "What a list is filtered or sorted by has an index")
def lists(tree: Tree) -> Iterator[Fault]:
    """With a hundred rows nobody sees it; with a million, `?sort=price` reads them all for one
    page. A list of what belongs to one parent needs the index of the parent alone. Search (`q`) has
    none: it looks for a part of a text. `--fix` writes `index=True` and the migration."""
    told = set()
    for operation in tree.operations:
        mapper = listed(tree, operation)
        if mapper is None or _is_scoped(tree, operation, mapper):
            continue
        table: Any = mapper.local_table
        covered = {name for index in indexes(table) for name in index}
        for name, use in _wanted(operation.query):
            column = mapper.columns.get(name)
            if column is None or column.name in covered or (table.name, name) in told:
                continue
            told.add((table.name, name))
            file, line = tree.place_of(table.name, column.name)
            # What a mixin brings is not written here.
            own = column.name in tree.sources.by_name[file].text.splitlines()[line - 1]
            here = "index=True in its mapped_column"
            remedy = here if own else f'Index(None, "{column.name}") in __table_args__'
            yield Fault(
                file,
                line,
                f"{operation.name} {use} {table.name}.{column.name}, which has no index",
                f"write {remedy}, and a migration",
                fix=Fix("index", column.name) if own else None,
            )


def indexes(table: Table) -> list[list[str]]:
    """The columns of each index, those of constraints included."""
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    found: list[Any] = [*table.indexes, *unique, table.primary_key]
    return [[column.name for column in each.columns] for each in found]


def listed(tree: Tree, operation: Operation) -> Mapper[Any] | None:
    """The model whose rows an operation lists."""
    shown = item_of(operation.route.response_model)
    name = re.sub("(Read|Summary)$", "", getattr(shown, "__name__", ""))
    is_list = operation.method == "GET" and hasattr(operation.query, "model_fields")
    return tree.mapper_of(name) if shown and is_list else None


def item_of(answer: Any) -> Any:
    """X of Page[X] and list[X]."""
    metadata = getattr(answer, "__pydantic_generic_metadata__", None) or {}
    args = metadata.get("args") or getattr(answer, "__args__", ())
    return args[0] if args else None


def _wanted(params: Any) -> Iterator[tuple[str, str]]:
    """The columns that a list can be asked for by, and how."""
    from app.schemas.base import SearchParams

    fields = params.model_fields
    extra = getattr(fields.get("sort"), "json_schema_extra", None) or {}
    found = re.match(r"\^-\?\(([\w|]+)\)", str(extra.get("pattern", "")))
    for name in found[1].split("|") if found else []:
        yield name, "sorts by"
    for name in fields:
        if name not in SearchParams.model_fields:
            yield re.sub("^(min|max)_", "", name), "filters by"


def _is_scoped(tree: Tree, operation: Operation, mapper: Mapper[Any]) -> bool:
    """Whether the service asks for the rows of one parent: `where(Review.product_id ==
    product.id)`."""
    keys = {f"{mapper.class_.__name__}.{c.key}" for c in mapper.columns if c.foreign_keys}
    for code in tree.functions.service_calls(operation.source, operation.node):
        if any(dotted(node.left) in keys for node in _comparisons(code)):
            return True
    return False


def _comparisons(code: Code) -> Iterator[ast.Compare]:
    for node in ast.walk(code.node):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
            yield node
