"""The types of inputs: what they take, and what they refuse, because no column could keep it."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.schemas.base import (
    INT53,
    Day,
    JsonObject,
    Moment,
    QueryBigInt,
    QueryFloat,
    QueryInt,
    TimeOfDay,
    Uuid,
    amount,
    line,
    real,
    slug,
    url,
    whole,
)

BigInt = Annotated[int, whole(-INT53, INT53)]
Rating = Annotated[int, whole(1, 5)]
Share = Annotated[float, real(0, 1)]
Rate = Annotated[Decimal, amount(6, 4)]
Part = Annotated[Decimal, amount(3, 3)]
Tons = Annotated[Decimal, amount(15, 0, minimum=1)]
Url = Annotated[str, url(40)]
Slug = Annotated[str, slug(10)]
Line = Annotated[str, line(5)]


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        (Day, "2028-02-29", date(2028, 2, 29)),
        (Day, "1000-01-01", date(1000, 1, 1)),
        (Day, "9999-12-31", date(9999, 12, 31)),
        (Moment, "2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        (Moment, "2026-01-31T09:30:00.5-03:00", datetime(2026, 1, 31, 12, 30, 0, 500_000, UTC)),
        (Moment, "1000-01-01T00:00:00+23:59", datetime(999, 12, 31, 0, 1, tzinfo=UTC)),
        (TimeOfDay, "09:30", time(9, 30)),
        (TimeOfDay, "23:59:59", time(23, 59, 59)),
        (BigInt, INT53, INT53),
        (Rating, 5.0, 5),
        (Share, 1, 1.0),
        (Share, 0.25, 0.25),
        (Rate, "-99.9999", Decimal("-99.9999")),
        (Rate, 0.1 + 0.2, Decimal("0.3000")),
        (Rate, "-0", Decimal("0.0000")),
        (Part, "0.999", Decimal("0.999")),
        (Tons, 999_999_999_999_999, Decimal(999_999_999_999_999)),
        (Url, "https://example.com:8000/a?b=c#d", "https://example.com:8000/a?b=c#d"),
        (Slug, "a-1", "a-1"),
        (Line, " abc ", "abc"),
        (JsonObject, nested(19), nested(19)),
        (QueryInt, "-5", -5),
        (QueryBigInt, str(INT53), INT53),
        (QueryFloat, "1.5", 1.5),
    ],
)
def test_a_value_is_taken(kind: Any, sent: object, value: object) -> None:
    taken = TypeAdapter(kind).validate_python(sent)
    assert taken == value
    assert type(taken) is type(value)
    if isinstance(value, Decimal):
        assert str(taken) == str(value)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        *((Day, each) for each in ("2026-02-30", "26-01-31", "0999-01-01", 20260131, 0.0, True)),
        *((Day, each) for each in ("2026-01-31T00:00:00Z", "2026-1-31", " 2026-01-31", b"x")),
        *((Moment, each) for each in ("2026-01-31T09:30:00", "2026-01-31", 1_770_000_000, "now")),
        *((Moment, each) for each in ("9999-12-31T23:59:59Z", "2026-01-31T24:00:00Z")),
        (Moment, "2026-01-31T09:30:00.1234567Z"),
        *((TimeOfDay, each) for each in ("24:00", "9:30", "09:30Z", "09:30:00.5", 930)),
        *((Uuid, each) for each in ("1", "{6f1c2f9e-5a7b-4c7d-9d53-0f0a4f0e9b1a}", 7)),
        *((BigInt, each) for each in (INT53 + 1, "1", True, 1.5)),
        *((Rating, each) for each in (0, 6)),
        *((Share, each) for each in (1.1, -0.1, "0.5", True, float("nan"), 10**400)),
        *((Rate, each) for each in ("100", "0.00001", "1e1", "1_0", True, float("inf"), "", "+1")),
        *((Part, each) for each in ("1", 1, "0.0001")),
        *((Tons, each) for each in (0, "0", "1.0", 10**15)),
        *((Url, each) for each in ("example.com", "ftp://b.co", "https://ção.br", "https://a b")),
        (Url, "https://b.co/" + "x" * 40),
        *((Slug, each) for each in ("A", "a--b", "-a", "a-", "a_b", "", "x" * 11)),
        *((Line, each) for each in ("abcdef", "\u00a0abcde", "     ", "a\nb")),
        *((JsonObject, each) for each in ([1], "{}", nested(21), {"a": "x" * 20_001})),
        *((JsonObject, each) for each in ({"a": float("nan")}, {"a": "\ud800"})),
        *((QueryInt, each) for each in ("1_0", "1.0", " 1", str(2**31))),
        (QueryBigInt, str(2**53)),
        *((QueryFloat, each) for each in ("nan", "1e5", "1_0", "")),
    ],
)
def test_a_value_is_refused(kind: Any, sent: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(sent)


@pytest.mark.parametrize("kind", [Rate, Tons, Day, Moment, TimeOfDay, Uuid, Share, Url, Slug])
def test_the_document_says_what_is_taken(kind: Any) -> None:
    schema = json.dumps(TypeAdapter(kind).json_schema())
    assert "pattern" in schema or "minimum" in schema
