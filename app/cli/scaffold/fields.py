"""What a person types for a field, `price:decimal:10.2:min=0`, read into a dataclass.

A mistake is one line, which says what to type instead.
"""

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from app.cli.console import CommandError
from app.cli.scaffold.names import check_identifier, pascal, singular, snake

TYPES = (
    *("str", "text", "int", "bigint", "float", "decimal", "bool", "date", "datetime", "time"),
    *("json", "uuid", "email", "url", "slug", "enum", "ref", "many"),
)
MODIFIERS = ("optional", "unique", "index")
NUMBERS = ("int", "bigint", "float", "decimal")
LINES = ("str", "email", "url", "slug")
LENGTHS = {"str": 255, "text": 10_000, "url": 500, "slug": 100, "email": 255}

# What models, schemas and lists have already, or what their bodies name.
RESERVED = {
    *("id", "version", "created_at", "updated_at", "deleted_at", "is_deleted", "search_text"),
    *("metadata", "registry", "searched", "to_dict", "changes", "model_config", "self", "cls"),
    *("skip", "limit", "cursor", "sort", "q", "copy", "dict", "json", "schema", "validate"),
    *("construct", "parse_obj", "parse_raw", "parse_file", "from_orm", "check_sort"),
    *("check_not_empty", "check_one_way_to_page", "type_annotation_map", "left_out", "sortable"),
}
# Types that a class body names: a field of the same name would hide them from the fields below.
HIDING = {"date", "datetime", "time", "uuid", "enum", "str", "int", "bool", "float", "list"}


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    length: int = 0
    precision: int = 10
    scale: int = 2
    optional: bool = False
    unique: bool = False
    index: bool = False
    minimum: str | None = None  # as typed
    maximum: str | None = None
    default: str | None = None  # as typed; "" is a default as well
    choices: tuple[str, ...] = ()
    target: str = ""  # ref and many: as typed, or from the name

    @property
    def required(self) -> bool:
        """Whether a client must send it."""
        return not self.optional and self.default is None and self.type != "many"

    @property
    def nullable(self) -> bool:
        return self.optional and self.default is None

    @property
    def column(self) -> str:
        return {"ref": f"{self.name}_id", "many": f"{singular(self.name)}_ids"}.get(
            self.type, self.name
        )

    @property
    def cls(self) -> str:
        return pascal(self.name)


def parse_fields(texts: list[str]) -> tuple[Field, ...]:
    fields = tuple(parse_field(text) for text in texts or ["name:str:200"])
    seen: dict[str, Field] = {}
    for field in fields:
        for name in {field.name, field.column}:
            if name in seen:
                raise CommandError(f"{name} is there twice: {seen[name].name} and {field.name}.")
        seen |= {field.name: field, field.column: field}
    return fields


def parse_field(text: str) -> Field:
    name, *parts = text.split(":")
    name = _name(name, text)
    if not parts:
        types = ", ".join(TYPES)
        raise CommandError(f"{text} has no type: write {name}:str. There are {types}.")
    type_ = parts[0].partition("=")[0]
    if type_ not in TYPES:
        near = f"{name}:{_nearest_type(type_.lower())}"
        raise CommandError(
            f"{text}: there is no type {type_!r}. Did you mean {near}? "
            f"There are {', '.join(TYPES)}."
        )
    field = Field(name, type_, length=LENGTHS.get(type_, 0))
    for index, part in enumerate(parts):
        rest = ":".join(parts[index:]).partition("=")
        key = rest[0]
        if "=" in part and key not in ("min", "max"):
            if key not in ("default", type_):
                field = _modify(field, key, text)
            return _check(replace(field, default=rest[2]), text)
        if index:
            field = _modify(field, part, text)
    return _check(field, text)


_ALIASES = {
    "str": "string varchar char title name",
    "int": "integer number count",
    "decimal": "money price numeric",
    "bool": "boolean flag",
    "datetime": "timestamp moment",
    "float": "double real",
    "ref": "foreign foreignkey fk belongs_to references",
    "many": "m2m manytomany has_many",
    "json": "dict object jsonb",
    "enum": "choice choices",
}


def _nearest_type(typed: str) -> str:
    for type_, others in _ALIASES.items():
        if typed in others.split():
            return type_
    return (get_close_matches(typed, TYPES, 1) or ["str"])[0]


def _name(typed: str, text: str) -> str:
    name = snake(typed)
    check_identifier(name, "a field", "birth_date:date")
    if name in RESERVED or name.startswith("model_"):
        raise CommandError(
            f"{text}: {name} is a name that every feature has or needs. Take another one."
        )
    if name in HIDING:
        raise CommandError(
            f"{text}: {name} is the name of a type, which the fields below it need. "
            "Say what it is of: birth_date, starts_at, opens ..."
        )
    return name


def _modify(field: Field, part: str, text: str) -> Field:
    """`field` with one part more: a modifier, a length, a precision, choices or a target."""
    key, equals, value = part.partition("=")
    if part in MODIFIERS:
        if getattr(field, part):
            raise CommandError(f"{text}: {part} is there twice.")
        flag: dict[str, Any] = {part: True}
        return replace(field, **flag)
    if equals and key in ("min", "max"):
        if field.type not in NUMBERS:
            raise CommandError(f"{text}: {key} is for numbers: {', '.join(NUMBERS)}.")
        return replace(field, minimum=value) if key == "min" else replace(field, maximum=value)
    if field.type in ("ref", "many") and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", part):
        return replace(field, target=part)
    if field.type == "enum" and not field.choices:
        return replace(field, choices=tuple(part.split("/")))
    if field.type in ("str", "text", "url", "slug") and part.isdecimal():
        return replace(field, length=int(part))
    if field.type == "decimal" and (found := re.fullmatch(r"(\d{1,4})\.(\d{1,4})", part)):
        return replace(field, precision=int(found[1]), scale=int(found[2]))
    near = get_close_matches(key, (*MODIFIERS, "min", "max", "default"), 1)
    hint = f"Did you mean {near[0]}?" if near else _EXPECTED.get(field.type, _ANY)
    raise CommandError(f"{text}: {part!r} means nothing here. {hint}")


_ANY = "There are optional, unique, index and default=..."
_EXPECTED = {
    "str": "A length is a number: name:str:200.",
    "text": "A length is a number: body:text:5000.",
    "decimal": "A precision is digits and those behind the point: price:decimal:10.2.",
    "enum": "Choices are parted by a slash: status:enum:draft/published.",
}


def _check(field: Field, text: str) -> Field:
    def refuse(reason: str) -> CommandError:
        return CommandError(f"{text}: {reason}")

    if field.type == "enum":
        _check_choices(field, refuse)
    elif field.type in ("str", "text", "url", "slug"):
        longest = 1_000_000 if field.type == "text" else 5000
        if not 1 <= field.length <= longest:
            raise refuse(f"a {field.type} has 1 to {longest:,} characters.")
    if field.type == "decimal" and not (0 <= field.scale <= field.precision and field.precision):
        raise refuse("of 10.2, 10 are all digits and 2 those behind the point.")
    if field.precision > 15:
        raise refuse("SQLite keeps 15 digits exactly, and no more.")
    if field.default is not None and field.type in ("ref", "many", "uuid"):
        raise refuse(f"a {field.type} has no default that a table could keep.")
    if field.unique and field.default is not None:
        raise refuse("what is unique has no default: the second row would be refused.")
    if field.optional and field.default is not None:
        raise refuse("what has a default is never missing: leave out optional, or the default.")
    if field.unique and field.type in ("bool", "enum", "json", "text", "many"):
        raise refuse(f"a {field.type} cannot be unique.{_INSTEAD.get(field.type, '')}")
    if field.index and field.type in ("json", "text", "many"):
        raise refuse(f"a {field.type} cannot have an index.{_INSTEAD.get(field.type, '')}")
    if field.unique and field.type == "str" and field.length > 255:
        raise refuse("a unique text has at most 255 characters: MySQL's indexes end there.")
    if field.index and field.length > 768:
        raise refuse("a text with an index has at most 768 characters: MySQL's indexes end there.")
    if field.type == "many" and field.optional:
        raise refuse("many is none at all, or more: leave out optional.")
    if field.column.startswith(("min_", "max_")) and field.type in ("enum", "bool", "ref", "str"):
        raise refuse("min_ and max_ are the filters of numbers. Take another name.")
    if field.type in ("ref", "many") and not field.target:
        return replace(field, target=field.name)
    return field


_INSTEAD = {"text": " Take str, with a length.", "bool": "", "enum": "", "json": ""}


def _check_choices(field: Field, refuse: object) -> None:
    assert callable(refuse)
    if not field.choices:
        raise refuse("an enum has choices, parted by a slash: status:enum:draft/published.")
    if len(set(field.choices)) < max(2, len(field.choices)):
        raise refuse("the choices are two or more, and each is another one.")
    for choice in field.choices:
        if not re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", choice) or len(choice) > 20:
            raise refuse(f"{choice!r} is no choice: small letters and digits, 20 at most.")
        if choice in ("mro", "name", "value"):
            raise refuse(f"an enum of Python cannot have {choice!r}.")
