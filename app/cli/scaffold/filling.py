"""What the rows that are there get in a new column."""

import json
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from app.cli.console import CommandError, errors, explain
from app.cli.scaffold import kinds
from app.cli.scaffold.addition import Addition
from app.cli.scaffold.attribute import Attribute

# Defaults that a person may begin with, by type.
USUAL = {
    **dict.fromkeys(("str", "text", "slug"), "none"),
    "bool": "false",
    "date": "2026-01-31",
    "datetime": "2026-01-31T09:30:00Z",
    "time": "09:30",
    "json": "{}",
    "url": "https://example.com",
    "email": "ana@example.com",
}


def values_of(addition: Addition) -> dict[str, Any]:
    """By column; a column that may be empty has none."""
    values = {}
    for each in addition.entity.columns:
        if each.field.default is not None:
            values[each.name] = kinds.read_default(each.field, addition.model.names.words)
        elif each.field.required:
            values[each.name] = _asked(addition, each)
    return values


def _asked(addition: Addition, attribute: Attribute) -> Any:
    table, typed = addition.model.table, addition.typed[attribute.field.name]
    unanswered = CommandError(
        f"{attribute.name}: the rows of {table} that are there have no value for it. "
        f"Write {_suggested(attribute, typed)}{typed}:optional"
    )
    if not sys.stdin.isatty():
        raise unanswered
    while True:
        errors.print(
            f"What do the {table} that are there get for [bold]{attribute.name}[/]? ", end=""
        )
        try:
            answer = input()
        except EOFError:  # Ctrl-D; and on Windows NUL calls itself a terminal
            errors.print()
            raise unanswered from None
        try:
            words = addition.model.names.words
            return kinds.read_default(replace(attribute.field, default=answer), words)
        except CommandError as error:
            explain(str(error))


def _suggested(attribute: Attribute, typed: str) -> str:
    field = attribute.field
    if field.type == "uuid":
        return ""
    usual = USUAL.get(field.type) or (
        field.choices[0] if field.choices else format(max(kinds.limits(field)[0], Decimal(0)), "f")
    )
    if typed.endswith(f":{field.type}"):
        return f"{typed}={usual} or "
    return f"{typed}:default={usual} or "


def as_text(value: Any) -> str:
    """As all databases read it between quotes, and as SQLite keeps it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, time):
        return value.isoformat("microseconds")
    return format(value, "f") if isinstance(value, Decimal) else str(value)
