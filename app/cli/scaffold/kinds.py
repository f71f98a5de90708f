"""What each type of field is in a model and in a schema, as source code."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import Field as PydanticField
from pydantic import TypeAdapter, ValidationError

from app.cli.console import CommandError
from app.cli.scaffold.fields import LINES, NUMBERS, Field
from app.schemas import types

MODEL_TYPES = {
    **dict.fromkeys(("str", "text", "email", "url", "slug"), "str"),
    **dict.fromkeys(("int", "bigint"), "int"),
    **{name: name for name in ("float", "bool", "date", "datetime", "time")},
    "decimal": "Decimal",
    "json": "dict[str, Any]",
    "uuid": "uuid.UUID",
}
RANGES = (*NUMBERS, "date", "datetime", "time")
QUERY_TYPES = {"int": "QueryInt", "bigint": "QueryBigInt", "float": "QueryFloat"}
SHARED_TYPES = {
    "bool": "Flag",
    "date": "Day",
    "datetime": "Moment",
    "time": "TimeOfDay",
    "uuid": "Uuid",
    "json": "JsonObject",
    "email": "Email",
}

EXAMPLES = {
    "name": "My {words}",
    "title": "My first {words}",
    "description": "What is to be known.",
    "body": "Once upon a time.",
    "content": "Once upon a time.",
    "text": "Once upon a time.",
    "color": "#336699",
    "city": "Porto Alegre",
    "country": "Brazil",
    "phone": "+55 51 5550 0000",
    "first_name": "Ana",
    "last_name": "Souza",
    "full_name": "Ana Souza",
    "author": "Ana Souza",
    "code": "A-100",
    "sku": "A-100",
    "zip": "90000-000",
    "address": "1 Main Street",
    "comment": "Just what I needed.",
    "note": "Just what I needed.",
    "currency": "BRL",
    "language": "pt",
    "location": "Porto Alegre",
    "brand": "Acme",
    "street": "Main Street",
}


def column_type(field: Field) -> str:
    """The first argument of `mapped_column`; "" where the annotation says it all."""
    if field.type in LINES:
        return f"String({field.length})"
    if field.type == "decimal" and (field.precision, field.scale) != (10, 2):
        return f"Numeric({field.precision}, {field.scale})"
    return {"text": "Text", "bigint": "BigInteger", "float": "Double"}.get(field.type, "")


def rule(field: Field, words: str) -> str:
    """The constrained type of an input, as the schema names it in one line; "" for shared types."""
    longest, shown = digits(field.length), repr(example(field, words))
    return {
        "str": f"Annotated[str, line({longest}), Field(examples=[{shown}])]",
        "text": f"Annotated[str, text({longest}), Field(examples=[{shown}])]",
        "int": f"Annotated[int, whole({_bounds(field)}), Field(examples=[{trio(field)[1]}])]",
        "bigint": f"Annotated[int, whole({_bounds(field)}), Field(examples=[{trio(field)[1]}])]",
        "float": f"Annotated[float, real({_bounds(field)}), Field(examples=[{trio(field)[1]}])]",
        "decimal": (
            f"Annotated[Decimal, amount({', '.join(_amount(field))}), "
            f'Field(examples=["{trio(field)[1]}"])]'
        ),
        "url": f"Annotated[str, url({longest})]",
        "slug": f"Annotated[str, slug({longest})]",
    }.get(field.type, "")


def example(field: Field, words: str) -> str:
    known = EXAMPLES.get(field.name, f"Some {field.name.replace('_', ' ')}")
    return known.format(words=words)[: field.length].strip()


def _bounds(field: Field) -> str:
    wide = field.type == "bigint"
    low = _plain(field.minimum) or ("-INT53" if wide else "")
    high = _plain(field.maximum) or ("INT53" if wide else "")
    if not low:
        return f"maximum={high}" if high else ""
    return f"{low}, {high}" if high else low


def _amount(field: Field) -> list[str]:
    bounds = (("minimum", _plain(field.minimum)), ("maximum", _plain(field.maximum)))
    named = [
        f'{name}="{value}"' if "." in value else f"{name}={value}"
        for name, value in bounds
        if value
    ]
    return [str(field.precision), str(field.scale), *named]


def _plain(typed: str | None) -> str:
    return "" if typed is None else format(Decimal(typed), "f")


# --- Numbers ---------------------------------------------------------------------------------


def unit(field: Field) -> Decimal:
    return Decimal(1).scaleb(-field.scale) if field.type == "decimal" else Decimal(1)


def limits(field: Field) -> tuple[Decimal, Decimal]:
    """The least and the largest number that the rule lets pass."""
    if field.type == "decimal":
        high = Decimal(10) ** (field.precision - field.scale) - unit(field)
    else:
        high = Decimal(
            {"int": types.INT32, "bigint": types.INT53, "float": int(types.REAL)}[field.type]
        )
    low = -high
    return (
        low if field.minimum is None else Decimal(field.minimum),
        high if field.maximum is None else Decimal(field.maximum),
    )


def trio(field: Field) -> list[Decimal]:
    """Three numbers in ascending order, different ones where the rule lets three pass."""
    if field.type not in NUMBERS:
        return [Decimal(0)] * 3
    low, high = limits(field)
    step = Decimal("0.5") if field.type == "float" else Decimal(1)
    start = low if field.minimum is not None else min(step, high)
    if start + 2 * step > high:
        step = unit(field) if field.type == "decimal" else step
        start = low if field.minimum is not None else high - 2 * step
    numbers = [min(start + step * count, high) for count in range(3)]
    return [
        number.quantize(unit(field)) if field.type == "decimal" else number for number in numbers
    ]


def check_numbers(field: Field) -> None:
    """Raise a CommandError for bounds that are none."""
    if field.type not in NUMBERS:
        return
    widest = limits(Field(field.name, field.type, precision=field.precision, scale=field.scale))
    for key, typed in (("min", field.minimum), ("max", field.maximum)):
        if typed is None:
            continue
        try:
            value = Decimal(typed)
            fits = value.is_finite() and widest[0] <= value <= widest[1]
            whole = field.type == "float" or value == value.quantize(unit(field))
        except InvalidOperation:
            fits = whole = False
        if not (fits and whole):
            raise CommandError(f"{field.name}: {key}={typed} is no {field.type}.")
    low, high = limits(field)
    if low > high:
        raise CommandError(f"{field.name}: min={field.minimum} is more than max={field.maximum}.")


# --- Defaults --------------------------------------------------------------------------------


def read_default(field: Field, words: str) -> Any:
    """The default as a value, or a CommandError when the field's own rule does not let it pass."""
    text = field.default
    assert text is not None
    try:
        readers: dict[str, Any] = {
            **dict.fromkeys(("int", "bigint"), int),
            "float": float,
            "bool": {"true": True, "false": False}.__getitem__,
            "json": json.loads,
        }
        value = readers.get(field.type, str)(text)
        if field.type == "enum":
            return field.choices[field.choices.index(text)]
        names = vars(types) | {"Annotated": Annotated, "Field": PydanticField, "Decimal": Decimal}
        # The rule that the schema will have: nothing else was typed into it.
        checked = eval(rule(field, words) or SHARED_TYPES[field.type], names)  # noqa: S307
        return TypeAdapter(checked).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise CommandError(f"{field.name}: the default {text!r}: {reason}.") from None
    except (ValueError, KeyError):
        what = "/".join(field.choices) if field.type == "enum" else f"{field.type}"
        hint = " It takes the rest of the text: write it last." if ":" in text else ""
        raise CommandError(f"{field.name}: the default {text!r} is no {what}.{hint}") from None


def source(value: Any) -> str:
    """A value as Python writes it, with the names that the files import."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC)
        parts = [value.year, value.month, value.day, value.hour, value.minute]
        parts += [value.second] if value.second else []
        return f"datetime({', '.join(map(str, parts))}, tzinfo=UTC)"
    if isinstance(value, date | time):
        return repr(value).removeprefix("datetime.")
    return repr(value)


def digits(number: int) -> str:
    """10_000, as people write it in Python."""
    return f"{number:_}" if number >= 10_000 else str(number)
