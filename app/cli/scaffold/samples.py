"""What the tests of a feature send and store for each field, as source code."""

import json
from decimal import Decimal

from app.cli.scaffold.fields import NUMBERS, Field
from app.cli.scaffold.kinds import digits, limits, trio, unit
from app.cli.scaffold.names import Names, pascal

ACCENTED = "Ação & Aventura"
UUIDS = [f"{number:08}-0000-4000-8000-000000000000" for number in range(1, 4)]


def sent(field: Field) -> list[str]:
    """Two values, different ones, that a client may send; in JSON, as the answer shows them."""
    if field.type in ("str", "text"):
        return [_quoted(_fit(each, field.length)) for each in (ACCENTED, "Mapas")]
    if field.type in NUMBERS:
        numbers = trio(field)
        other = numbers[2] if numbers[2] != numbers[1] else numbers[0]
        return [_number(field, numbers[1]), _number(field, other)]
    if field.type == "bool":
        return ["False", "True"] if field.default == "true" else ["True", "False"]
    if field.type == "enum":
        return [_quoted(field.choices[1]), _quoted(field.choices[0])]
    return {
        "date": ['"2026-01-31"', '"2028-02-29"'],
        "datetime": ['"2026-01-31T09:30:00Z"', '"2028-02-29T23:59:59.123456Z"'],
        "time": ['"09:30:00"', '"23:59:59"'],
        "json": ['{"color": "blue", "sizes": [1, 2.5, None]}', '{"é": {}}'],
        "uuid": [_quoted(UUIDS[0]), _quoted(UUIDS[1])],
        "email": ['"ana@example.com"', '"eva@example.com"'],
        "url": [_quoted(_fit("https://example.com/a?b=1#c", field.length)), '"http://b.co"'],
        "slug": [_quoted(_fit("acao-e-aventura", field.length).rstrip("-")), '"maps"'],
    }[field.type]


def stored(field: Field, cls: str) -> list[str]:
    """Three values of the model, neither in ascending nor in descending order."""
    if field.type in ("str", "text"):
        words = ("Maps", "Árvores", "books") if field.length >= 7 else ("M", "Á", "b")
        return [_quoted(word) for word in words]
    if field.type in NUMBERS:
        low, middle, high = trio(field)
        return [_value(field, number) for number in (middle, low, high)]
    if field.type == "bool":
        return ["True", "False", "True"]
    if field.type == "enum":
        members = [f"{cls}{pascal(field.name)}.{member(choice)}" for choice in field.choices]
        return [members[1], members[0], members[-1]]
    return {
        "date": [f"date({year}, 1, 31)" for year in (2026, 2025, 2027)],
        "datetime": [f"datetime({year}, 1, 31, 9, 30, tzinfo=UTC)" for year in (2026, 2025, 2027)],
        "time": ["time(9, 30)", "time(0)", "time(23, 59, 59)"],
        "json": ['{"number": 2}', "{}", '{"number": 3}'],
        "uuid": [f"uuid.UUID({_quoted(UUIDS[index])})" for index in (1, 0, 2)],
        "email": ['"eva@example.com"', '"ana@example.com"', '"ivo@example.com"'],
        "url": [f'"https://{name}.co"' for name in "bac"],
        "slug": ['"maps"', '"books"', '"trees"'],
    }[field.type]


def matches(field: Field) -> list[tuple[str, list[int]]]:
    """Queries of its filters, and which of the three rows that are `stored` they find."""
    if field.type in NUMBERS:
        low, middle, high = trio(field)
        numbers, least = [middle, low, high], _json_number(field, middle)
        return [
            (f"min_{field.name}={least}", [i for i in range(3) if numbers[i] >= middle]),
            (f"max_{field.name}={least}", [i for i in range(3) if numbers[i] <= middle]),
        ]
    if field.type in ("date", "datetime", "time"):
        sought = {"date": "2026-01-31", "datetime": "2026-01-31T09:30:00Z", "time": "09:30"}
        query = f"{field.name}={sought[field.type]}"
        return [(f"min_{query}", [0, 2]), (f"max_{query}", [0, 1])]
    if field.type == "bool":
        return [(f"{field.name}=true", [0, 2]), (f"{field.name}=false", [1])]
    if field.type == "enum":
        rows = [field.choices[1], field.choices[0], field.choices[-1]]
        return [
            (f"{field.name}={choice}", [i for i in range(3) if rows[i] == choice])
            for choice in field.choices
        ]
    if field.type == "uuid":
        return [(f"{field.name}={UUIDS[0]}", [1])]
    return [(f"{field.name}={json.loads(stored(field, '')[1])}", [1])]


def factory(field: Field, names: Names, cls: str) -> str:
    """A value of the model that `number` makes different from those of all other rows."""
    if field.type in ("str", "text"):
        if field.length < len(names.title) + 6:
            return 'f"{number:x}"' if field.unique else stored(field, cls)[2]
        return f'f"{names.title} {{number}}"'
    if not field.unique:
        return stored(field, cls)[0]
    return {
        "int": "number",
        "bigint": "number",
        "float": "float(number)",
        "decimal": f"Decimal(number).scaleb(-{field.scale})" if field.scale else "Decimal(number)",
        "date": "date(2026, 1, 1) + timedelta(days=number)",
        "datetime": "datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)",
        "time": "time(number // 3600 % 24, number // 60 % 60, number % 60)",
        "uuid": "uuid.UUID(int=number)",
        "email": f'f"{names.singular}{{number}}@example.com"',
        "url": 'f"https://example.com/{number}"',
        "slug": f'f"{names.singular.replace("_", "-")}-{{number}}"',
    }[field.type]


def refused(field: Field) -> list[str]:
    """What a client may not send."""
    values = _refused(field)
    return values if field.nullable else [*values, "None"]


def _refused(field: Field) -> list[str]:
    if field.type in ("str", "text"):
        values = ['""', '" "', f'"x" * {digits(field.length + 1)}', "7"]
        return [*values, r'"two\nlines"'] if field.type == "str" and field.length > 8 else values
    if field.type in NUMBERS:
        low, high = limits(field)
        values = [_json_number(field, low - unit(field)), _json_number(field, high + unit(field))]
        if field.type == "float":
            values = [str(low - 1), "1e16" if field.maximum is None else str(high + 1)]
            values[0] = "-1e16" if field.minimum is None else values[0]
        if field.type == "decimal":
            return [*values, _quoted("0." + "0" * field.scale + "1"), '"1e3"', "True"]
        return [*values, '"3"', "True"] + (["1.5"] if field.type != "float" else [])
    return {
        "bool": ['"yes"', "1"],
        "enum": ['"none of them"', "7"],
        "date": ['"2026-02-30"', '"31.01.2026"', '"2026-01-31T00:00:00Z"', "20260131"],
        "datetime": ['"2026-01-31T09:30:00"', '"2026-02-30T09:30:00Z"', '"2026-01-31"', "177"],
        "time": ['"24:00"', '"9:30"', "930"],
        "json": ['"text"', "[1]"],
        "uuid": ['"1"', f'"{{{UUIDS[0]}}}"', "7"],
        "email": ['"ana"', '"ana@"', '"a@example.com b"', "7"],
        "url": [
            '"example.com"',
            '"ftp://example.com"',
            f'"https://b.co/" + "x" * {digits(field.length)}',
        ],
        "slug": ['"Two Words"', '"-a"', '"a--b"', f'"x" * {digits(field.length + 1)}'],
    }[field.type]


def member(choice: str) -> str:
    return choice.replace("-", "_").upper()


def _fit(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length].rstrip(" &")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(field: Field, number: Decimal) -> str:
    """As JSON; an exact one is text there."""
    return _quoted(str(number)) if field.type == "decimal" else _json_number(field, number)


def _json_number(field: Field, number: Decimal) -> str:
    return str(float(number)) if field.type == "float" else format(number, "f")


def _value(field: Field, number: Decimal) -> str:
    if field.type != "decimal":
        return _json_number(field, number)
    return f'Decimal("{number}")' if field.scale else f"Decimal({number})"
