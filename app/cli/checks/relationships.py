"""Relationships: both sides, what a delete does, and no row that is loaded one by one."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from sqlalchemy.orm import Mapper, RelationshipDirection

from app.cli.checks.indexes import item_of
from app.cli.checks.rules import Fault, Point, rule
from app.cli.checks.tree import Tree

EAGER = ("selectin", "joined", "subquery", "immediate")


@rule("R46", Point.RELATIONSHIPS, "A foreign key has a relationship, on both sides")
def both_sides(tree: Tree) -> Iterator[Fault]:
    """A number alone cannot be joined, loaded or shown by name, and each service writes its own
    query for it. `back_populates` on both sides keeps the two lists in step, in memory as well."""
    for mapper in tree.mappers:
        source, model = tree.sources.of(mapper.class_), mapper.class_.__name__
        related = {column for each in mapper.relationships for column in each.local_columns}
        for column in mapper.local_table.columns:
            if column.foreign_keys and column not in related:
                name = column.name.removesuffix("_id")
                file, line = tree.place_of(column.table.name, column.name)
                yield Fault(
                    file,
                    line,
                    f"{model}.{column.name} has no relationship",
                    f"write `{name}: Mapped[...] = relationship(back_populates=...)` here, and the "
                    "other side in the other model",
                )
        for relation in mapper.relationships:
            if not relation.back_populates:
                yield Fault(
                    source.name,
                    source.line_of(model, relation.key),
                    f"{model}.{relation.key} names no other side",
                    f"write back_populates=..., and its other side in "
                    f"{relation.mapper.class_.__name__}",
                )


@rule("R47", Point.RELATIONSHIPS, "A foreign key says what a delete does")
def on_delete(tree: Tree) -> Iterator[Fault]:
    """`CASCADE`: it goes with its parent. `SET NULL`: it stays without one, so it may be null.
    `RESTRICT`: a parent that has some cannot be deleted. Without a word, the first delete of a
    parent is a 409 that nobody has thought of."""
    for table in tree.tables.values():
        for column in table.columns:
            for key in column.foreign_keys:
                rule_ = (key.ondelete or "").upper()
                if rule_ == "SET NULL" and not column.nullable:
                    what, remedy = "is set to null, and may not be null", 'write ondelete="CASCADE"'
                elif not rule_:
                    what = "does not say what a delete of its parent does"
                    better = "SET NULL" if column.nullable else "CASCADE"
                    remedy = f'write ForeignKey("{key.target_fullname}", ondelete="{better}")'
                else:
                    continue
                file, line = tree.place_of(table.name, column.name)
                yield Fault(
                    file, line, f"{table.name}.{column.name} {what}", remedy + ", and a migration"
                )


@rule("R48", Point.RELATIONSHIPS, "A delete is left to the database")
def passive(tree: Tree) -> Iterator[Fault]:
    """Without `passive_deletes`, SQLAlchemy loads all children to delete a parent, and writes null
    into each: a thousand statements, or an error where the key may not be null. Of many to many it
    loads all rows that are connected, to delete what connects them."""
    for mapper in tree.mappers:
        for relation in mapper.relationships:
            if (
                relation.direction is not RelationshipDirection.MANYTOONE
                and not relation.passive_deletes
            ):
                source, model = tree.sources.of(mapper.class_), mapper.class_.__name__
                yield Fault(
                    source.name,
                    source.line_of(model, relation.key),
                    f"{model}.{relation.key} loads all its rows to delete one {model}",
                    "write passive_deletes=True, as the key's ondelete does it",
                )


@rule("R49", Point.RELATIONSHIPS, "A list loads what it shows")
def loads(tree: Tree) -> Iterator[Fault]:
    """A list whose schema shows other rows asks for each of them by itself, unless the statement
    says how they are loaded: `select(Order).options(selectinload(Order.items))`. Looked at is the
    schema of the answer, and all loader options that the service's method names."""
    for operation in tree.operations:
        answer = operation.route.response_model
        shown = item_of(answer)
        if operation.method != "GET" or not _is_schema(shown):
            continue
        wanted = _relations(tree, shown, _mapper_of(tree, shown))
        for code in tree.functions.service_calls(operation.source, operation.node):
            loaded = tree.functions.loaded(code)
            for owner, name in sorted(wanted - loaded):
                yield Fault(
                    code.source.name,
                    code.node.lineno,
                    f"{code.name} answers {shown.__name__}, which shows {owner}.{name}: one "
                    "statement for each row",
                    f"write .options(selectinload({owner}.{name})), or joinedload for one row",
                )


def _is_schema(shown: Any) -> bool:
    return isinstance(shown, type) and issubclass(shown, BaseModel)


def _mapper_of(tree: Tree, schema: type[BaseModel]) -> Mapper[Any] | None:
    name = schema.__name__
    for ending in ("Read", "Summary"):
        if name.endswith(ending) and (mapper := tree.mapper_of(name.removesuffix(ending))):
            return mapper
    return None


def _relations(
    tree: Tree, schema: type[BaseModel], mapper: Mapper[Any] | None
) -> set[tuple[str, str]]:
    """The relationships that a schema shows, and those that what it shows does."""
    if mapper is None:
        return set()
    found = set()
    for name, field in schema.model_fields.items():
        relation = mapper.relationships.get(name)
        if relation is None:
            continue
        if relation.lazy not in EAGER:
            found.add((mapper.class_.__name__, name))
        for inner in _schemas_in(field.annotation):
            found |= _relations(tree, inner, relation.mapper)
    return found


def _schemas_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if _is_schema(annotation):
        yield annotation
    for each in get_args(annotation):
        yield from _schemas_in(each)
