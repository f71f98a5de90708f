"""Schemas: what goes in fits its column, what may be null is optional, no secret comes out."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from sqlalchemy import JSON, BigInteger, Column, Integer, Numeric, String

from app.cli.checks.pairs import Pair, pairs
from app.cli.checks.rules import Fault, Point, rule
from app.cli.checks.tree import Operation, Tree
from app.core.columns import UtcDateTime

SECRET = re.compile(r"password|secret|(^|_)hash(ed)?(_|$)|private_key|api_key")
RULES = ("maxLength", "minLength", "pattern", "minimum", "maximum", "multipleOf")
NAIVE = "2026-01-31T09:30:00"  # what a column of moments cannot store


@rule("R26", Point.SCHEMAS, "What comes in is an InputSchema, and of a PATCH an UpdateSchema")
def kinds(tree: Tree) -> Iterator[Fault]:
    """InputSchema refuses fields that it does not know, so a typo is a 422 and not silence.
    UpdateSchema lets fields be left out, wants one at least, and knows which were sent. A `dict`
    takes anything."""
    from app.schemas.base import InputSchema, UpdateSchema

    for operation in tree.operations:
        parameters = operation.route.dependant.body_params
        wanted = UpdateSchema if operation.method == "PATCH" else InputSchema
        for each in parameters:
            schema = each.field_info.annotation
            if not (isinstance(schema, type) and issubclass(schema, wanted)):
                name = getattr(schema, "__name__", str(schema))
                yield _at(
                    operation,
                    f"the body of {operation.name} is {name}, no {wanted.__name__}",
                    f"write a schema: class ...({wanted.__name__}), from app.schemas.base",
                )
        query = operation.query
        if query and issubclass(query, BaseModel) and not issubclass(query, InputSchema):
            yield _at(
                operation,
                f"the query of {operation.name} is {query.__name__}, no InputSchema",
                "write class ...Params(ListParams) or (InputSchema), from app.schemas.base",
            )


def _at(operation: Operation, what: str, remedy: str) -> Fault:
    return Fault(operation.source.name, operation.line, what, remedy)


@lru_cache
def _written(schema: type[BaseModel]) -> dict[str, Any]:
    fields: dict[str, Any] = schema.model_json_schema(by_alias=False)["properties"]
    return fields


def _texts(field: dict[str, Any]) -> list[dict[str, Any]]:
    """The ways in which a field can be a text."""
    ways = field.get("anyOf", [field])
    return [
        way for way in ways if way.get("type") == "string" and not {"enum", "const"} & way.keys()
    ]


# --- Rules -----------------------------------------------------------------------------------


@rule("R27", Point.SCHEMAS, "What passes the schema fits the column")
def fits(tree: Tree) -> Iterator[Fault]:
    """SQLite stores a text of any length; PostgreSQL and MySQL refuse it, on the first day in
    production. So each rule of an input is as strict as its column: lengths, the range of whole
    numbers, the digits of amounts, moments with a zone, text without NUL. The fields are tried with
    values just beyond."""
    for pair in pairs(tree):
        if not pair.is_input:
            continue
        for name, column in pair.columns():
            if pair.own(name) and (found := _misfit(pair, name, column)):
                yield pair.fault(name, *found)


def _misfit(pair: Pair, name: str, column: Column[Any]) -> tuple[str, str] | None:
    kind = column.type
    known = getattr(kind, "enum_class", None)
    if known and pair.accepts(name, "no such value"):
        return "takes what its column does not know", f"write {known.__name__}"
    if isinstance(kind, String) and not getattr(kind, "enum_class", None):
        for text in _texts(_written(pair.schema)[name]):
            longest = text.get("maxLength", _width(text.get("pattern")))
            if kind.length and (longest is None or longest > kind.length):
                said = f"{longest} characters" if longest else "any length"
                better = _rule_for(name, kind.length)
                return f"takes {said}, its column {kind.length}", f"write {better}"
        if pair.accepts(name, "a\x00b"):
            what = "takes control characters, which PostgreSQL refuses"
            return what, f"write {_rule_for(name, kind.length)}"
    elif isinstance(kind, Integer):
        most = 2**63 if isinstance(kind, BigInteger) else 2**31
        if pair.accepts(name, most) or pair.accepts(name, -most - 1):
            better = "JsonId" if column.foreign_keys else "Annotated[int, whole(0, 1000)]"
            return "takes numbers that its column cannot hold", f"write {better}"
    elif isinstance(kind, Numeric) and kind.precision and kind.asdecimal:
        scale = kind.scale or 0
        # As texts, which a client may send for a number; exact, as a float is not.
        beyond = 10 ** (kind.precision - scale), Decimal(5).scaleb(-scale - 1)
        if any(pair.accepts(name, str(value)) for value in (beyond[0], 1 + beyond[1], beyond[1])):
            return (
                f"takes more digits than its column, NUMERIC({kind.precision}, {scale})",
                f"write Price, Money or Annotated[Decimal, amount({kind.precision}, {scale})]",
            )
    elif isinstance(kind, UtcDateTime) and pair.accepts(name, NAIVE):
        return "takes a moment without a zone, which cannot be stored", "write Moment"
    elif isinstance(kind, JSON) and pair.accepts(name, {"a": float("nan")}):
        return "takes NaN, which is no JSON", "write JsonObject, from app.schemas.base"
    return None


def _rule_for(name: str, length: int | None) -> str:
    """The type of `app.schemas.base` for a text."""
    if "email" in name:
        return "Email"
    if name.endswith(("url", "slug")):
        return f"Annotated[str, {name.rpartition('_')[2]}({length or 500})]"
    return f"Annotated[str, line({length})]" if length else "Annotated[str, text(10_000)]"


def _width(pattern: str | None) -> int | None:
    """The longest text that a pattern takes, if it sets one."""
    if pattern is None:
        return None
    try:
        longest: int = re._parser.parse(pattern).getwidth()[1]  # type: ignore[attr-defined]
    except re.error:
        return None
    return longest if longest < 2**20 else None


@rule(
    "R28", Point.SCHEMAS, "What may be null in the table may be left out, and nothing else is null"
)
def nullable(tree: Tree) -> Iterator[Fault]:
    """A column that may be null is optional in Create, and `| None` in Read, where the first null
    would else turn the whole list into a 500. One that may not be null takes no null: `=
    left_out()` lets an update leave it out."""
    for pair in pairs(tree):
        for name, column in pair.columns():
            if not pair.own(name):
                continue
            takes_null = pair.accepts(name, None)
            required = pair.schema.model_fields[name].is_required()
            if not pair.is_input:
                if column.nullable and not takes_null:
                    yield pair.fault(
                        name, "takes no null, and its column may be null", "write `... | None`"
                    )
            elif column.nullable and pair.makes and required:
                yield pair.fault(
                    name, "is required, and its column may be null", "write `... | None = None`"
                )
            elif not column.nullable and takes_null:
                better = "no `| None`" if pair.makes else "`... = left_out()`, without `| None`"
                yield pair.fault(name, "takes null, which its column refuses", f"write {better}")


@rule("R29", Point.SCHEMAS, "An answer carries types and no rules")
def lenient(tree: Tree) -> Iterator[Fault]:
    """Rules change, and rows stay. What was stored under yesterday's rule, or by hand, must not
    turn a list of a hundred into a 500: the rules stand in Create and Update."""
    for pair in pairs(tree):
        if pair.is_input:
            continue
        for name, _ in pair.columns():
            field = _written(pair.schema)[name]
            found = {key for way in (field, *field.get("anyOf", ())) for key in RULES if key in way}
            if pair.own(name) and found:
                yield pair.fault(
                    name,
                    f"has rules ({', '.join(sorted(found))}) that a stored row may break",
                    f"write its bare type, as in `{name}: str`",
                )


@rule("R30", Point.SCHEMAS, "No answer shows a secret")
def no_secrets(tree: Tree) -> Iterator[Fault]:
    """Passwords, their hashes and other secrets leave the database for nobody. Looked at are the
    answers of all operations in the OpenAPI document, and the columns that a model marks as
    hidden."""
    components = tree.document["components"]["schemas"]
    hidden = {p.schema.__name__: p.mapper for p in pairs(tree)}
    for name in sorted(_answered(tree)):
        mapper = hidden.get(name)
        columns = mapper.local_table.columns if mapper else ()
        secret = {column.key for column in columns if column.info.get("hidden")}
        for field in components.get(name, {}).get("properties", {}):
            if field in secret or SECRET.search(field):
                source = next(
                    (s for s in tree.sources.below("app/schemas") if name in s.classes), None
                )
                file = source.name if source else "app/schemas/base.py"
                line = source.line_of(name, field) if source else 1
                yield Fault(file, line, f"{name} shows {field}", f"take {field} out of {name}")


def _answered(tree: Tree) -> set[str]:
    """The names of all schemas that some operation answers with, or shows inside of an answer."""
    components = tree.document["components"]["schemas"]
    left = [
        name
        for operations in tree.document["paths"].values()
        for operation in operations.values()
        for name in _named(operation["responses"])
    ]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _named(components.get(name, {}))
    return found


def _named(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if isinstance(value.get("$ref"), str) else []
        return own + [name for each in value.values() for name in _named(each)]
    return [name for each in value for name in _named(each)] if isinstance(value, list) else []


@rule("R31", Point.SCHEMAS, "The fields of a schema are those of its model")
def known_fields(tree: Tree) -> Iterator[Fault]:
    """`Product(**data.model_dump())` fails for a field that the model has not, and an answer for
    one that the row has not: both are a 500 at the first request. A field that the service takes
    out, such as a password to be hashed, is named there."""
    for pair in pairs(tree):
        for name in pair.schema.model_fields:
            if not pair.own(name) or hasattr(pair.mapper.class_, name):
                continue
            if pair.is_input and _is_handled(tree, pair, name):
                continue
            model = pair.mapper.class_.__name__
            yield pair.fault(
                name,
                f"is nothing that {model} has",
                f"add the column to {model} with a migration, or take the field away",
            )


def _is_handled(tree: Tree, pair: Pair, name: str) -> bool:
    """Whether the services of the feature speak of the field themselves."""
    owner = tree.owner(pair.source.name)
    written = (f'"{name}"', f".{name}")
    return any(
        any(each in source.text for each in written)
        for source in tree.sources.below("app/services")
        if tree.owner(source.name) == owner
    )
