"""Types that the schemas share. What passes them fits its column on every database."""

import json
import math
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from annotated_types import GroupedMetadata
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FiniteFloat,
    SecretStr,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticKnownError

from app.core.config import get_settings

INT32 = 2**31 - 1  # the largest INTEGER of PostgreSQL and MySQL
INT53 = 2**53 - 1  # the largest whole number that JavaScript reads exactly
REAL = 1e15  # a float beyond it has no digit behind the point left
JSON_SIZE, JSON_DEPTH = 20_000, 20
PASSWORD_MAX = 128  # characters; a limit, so that hashing has one as well

# Characters, as the inside of a class that Python, Rust and JavaScript read alike.
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufeff"
_TURNING = r"\u202a-\u202e\u2066-\u2069"  # these let a text be shown in another order
_BREAKS = r"\u0009\u000a\u000d\u2028\u2029"
_BLANK = (
    r"\u0020\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u202f\u205f-\u2065\u206a-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
)
_LINE = _CONTROLS + _TURNING + _BREAKS
_TEXT = _CONTROLS + _TURNING

# One character at least that can be seen, and none that plays tricks. It is the first one that is
# looked for: with any one, a text that is refused would be read again from each of its characters.
LINE_PATTERN = rf"^[{_BLANK}]*[^{_LINE}{_BLANK}][^{_LINE}]*$"
TEXT_PATTERN = rf"^[{_BLANK}{_BREAKS}]*[^{_TEXT}{_BREAKS}{_BLANK}][^{_TEXT}]*$"

# Not in the patterns: JavaScript reads them in another way than Python and Rust.
_BLANK_BEYOND = re.compile(
    "[\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# What NUMERIC(10, 2) holds and is more than nothing.
PRICE_PATTERN = r"^([1-9][0-9]{0,7}(\.[0-9]{1,2})?|0\.[1-9][0-9]?|0\.0[1-9])$"

# A year has four digits. Not the last ones: no time zone may move a moment out of what fits.
DAY_PATTERN = r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$"
MOMENT_PATTERN = (
    r"^[1-8][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
TIME_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"
UUID_PATTERN = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
URL_PATTERN = rf"^https?://({_LABEL})(\.{_LABEL})*(:[0-9]{{1,5}})?([/?#][!-~]*)?$"
SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"

EMAIL_PATTERN = rf"^{_ATOM}(\.?{_ATOM}){{0,63}}@({_LABEL}\.)+[A-Za-z]{{2,63}}$"


def digits_only(value: object) -> object:
    """Numbers in a path or query are text. Pydantic also reads `1_0`, ` 1` and `1.0`."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,19}", value):
        raise ValueError("write a whole number in digits")
    return value


def _number_only(value: object) -> object:
    """Numbers in JSON are numbers. Pydantic also reads `"1"` and `true`."""
    if isinstance(value, bool | str):
        raise ValueError("write a whole number, not text or a boolean")
    return value


def _float_only(value: object) -> object:
    """A float in JSON. Pydantic also reads text and integers, which it would round."""
    if not isinstance(value, float):
        raise ValueError("write a number with a point")
    return value


def _real_only(value: object) -> object:
    """Numbers in JSON are numbers, and a whole one is a float as long as it is exact."""
    if isinstance(value, bool | str) or (isinstance(value, int) and abs(value) > INT53):
        raise ValueError("write a number, not text or a boolean")
    return value


def _decimal_only(value: object) -> object:
    """A number in a query. Pydantic also reads `1_0`, `nan` and `1e5`."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,16}(\.[0-9]{1,16})?", value):
        raise ValueError("write a number in digits")
    return value


def _written(pattern: str, complaint: str) -> BeforeValidator:
    """Takes text of one form; Pydantic also reads numbers, and many forms more."""

    def check(value: object) -> object:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise ValueError(complaint)
        if isinstance(value, int | float | bytes):
            raise ValueError(complaint)
        return value

    return BeforeValidator(check)


def _check_json(value: dict[str, Any]) -> dict[str, Any]:
    """Not so deep or large that reading it again would be a burden."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):  # UnicodeEncodeError is one: half of a character
        raise ValueError("has a number or a character that JSON has not") from None
    if len(json.dumps(value)) > JSON_SIZE:
        raise ValueError(f"is longer than {JSON_SIZE:,} characters")
    level: list[Any] = [value]
    for _ in range(JSON_DEPTH):
        level = [each for node in level for each in _children(node)]
    if level:
        raise ValueError(f"is more than {JSON_DEPTH} levels deep")
    return value


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return list(node) if isinstance(node, list) else []


def _check_email(value: str) -> str:
    """The address in its normal form: the domain in lower case."""
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"is not an email address: {error}") from None


def _matches(pattern: str, complaint: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(complaint)
        return value

    return AfterValidator(check)


class _Constraints(GroupedMetadata):
    """Several constraints under one name, so that a field reads `Annotated[str, line(100)]`."""

    def __init__(self, *constraints: Any) -> None:
        self.constraints = constraints

    def __iter__(self) -> Iterator[Any]:
        return iter(self.constraints)


def whole(minimum: int = -INT32, maximum: int = INT32) -> _Constraints:
    """Constraints of a whole number in JSON."""
    return _Constraints(Field(ge=minimum, le=maximum), BeforeValidator(_number_only))


def real(minimum: float = -REAL, maximum: float = REAL) -> _Constraints:
    """Constraints of a number with a point in JSON. JavaScript writes 1.0 as 1."""
    return _Constraints(
        Field(ge=minimum, le=maximum, allow_inf_nan=False), BeforeValidator(_real_only)
    )


def amount(
    precision: int,
    scale: int,
    minimum: Decimal | float | str | None = None,
    maximum: Decimal | float | str | None = None,
    pattern: str | None = None,
) -> _Constraints:
    """Constraints of an exact number of `precision` digits, `scale` of them behind the point.

    pattern: of a text that says the same, where the one for all such numbers says less.
    """
    digits, unit = precision - scale, Decimal(1).scaleb(-scale)
    limit = Decimal(10) ** digits - unit
    low = -limit if minimum is None else max(Decimal(str(minimum)), -limit)
    high = limit if maximum is None else min(Decimal(str(maximum)), limit)
    sign = "-?" if low < 0 else ""
    front = rf"(0|[1-9][0-9]{{0,{digits - 1}}})" if digits else "0"
    back = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    written = f"^{sign}{front}{back}$"
    message = f"write a number with at most {digits} digits, and {scale} behind the point"

    def read(value: object) -> Decimal:
        """The number, exactly.

        0.1 + 0.2 is 0.30000000000000004 in JavaScript: what is off by no more than that is meant.
        """
        if isinstance(value, Decimal) and value.is_finite():
            return value
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(message)  # which cannot be compared
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= limit:
            units = round(value * 10**scale)
            if math.isclose(value * 10**scale, units, rel_tol=1e-12):
                return Decimal(units).scaleb(-scale)
        if isinstance(value, str) and re.fullmatch(written, value):
            return Decimal(value).quantize(unit) + 0  # without the sign of -0
        raise ValueError(message)

    number = {
        "type": "number",
        "minimum": float(low),
        "maximum": float(high),
        "multipleOf": float(unit),
    }
    text = {"type": "string", "pattern": pattern or written}
    # A pattern can express the sign of a number, and no other bound of it.
    told = pattern or (low in (0, -limit) and high == limit)
    schema = {"anyOf": [text, number]} if told else number
    return _Constraints(Field(ge=low, le=high), BeforeValidator(read), WithJsonSchema(schema))


def _check_visible(pattern: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, _BLANK_BEYOND.sub("", value)):
            raise ValueError("needs a visible character, and has no control characters")
        return value

    return check


def _check_length(max_length: int) -> Callable[[object], object]:
    """Of what was sent, as the document says it; Pydantic strips before it counts."""

    def check(value: object) -> object:
        if isinstance(value, str) and len(value) > max_length:
            raise PydanticKnownError("string_too_long", {"max_length": max_length})
        return value

    return check


def _visible(pattern: str, max_length: int) -> _Constraints:
    return _Constraints(
        StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length),
        AfterValidator(_check_visible(pattern)),
        Field(json_schema_extra={"pattern": pattern}),
        BeforeValidator(_check_length(max_length)),
    )


def line(max_length: int) -> _Constraints:
    """Constraints of a text of one line. It is stored stripped."""
    return _visible(LINE_PATTERN, max_length)


def text(max_length: int) -> _Constraints:
    """Constraints of a text that may have many lines. It is stored stripped."""
    return _visible(TEXT_PATTERN, max_length)


def url(max_length: int = 500) -> _Constraints:
    """Constraints of the address of a page, in ASCII characters."""
    return _Constraints(
        Field(max_length=max_length, examples=["https://example.com/books"]),
        _matches(URL_PATTERN, "is not the address of a page, such as https://example.com"),
        Field(json_schema_extra={"pattern": URL_PATTERN}),
    )


def slug(max_length: int = 100) -> _Constraints:
    """Constraints of a name in an address: small letters, digits and single hyphens."""
    return _Constraints(
        Field(max_length=max_length, examples=["printed-books"]),
        _matches(SLUG_PATTERN, "has small letters and digits, and hyphens between them"),
        Field(json_schema_extra={"pattern": SLUG_PATTERN}),
    )


def _check_password(password: SecretStr) -> SecretStr:
    typed = password.get_secret_value()
    text = unicodedata.normalize("NFKC", typed)
    minimum = get_settings().password_min_length
    # It makes one character of several, and up to eighteen of one: neither makes a password long.
    if min(len(typed), len(text)) < minimum or len(typed) > PASSWORD_MAX:
        raise ValueError(f"has {minimum} to {PASSWORD_MAX} characters")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("has half of a character")  # which UTF-8 cannot express
    return password


Id = Annotated[int, Field(ge=1, le=INT32, examples=[1]), BeforeValidator(digits_only)]
JsonId = Annotated[int, Field(ge=1, le=INT32, examples=[1]), BeforeValidator(_number_only)]
Count = Annotated[int, whole(0), Field(examples=[3])]
Money = Annotated[Decimal, amount(10, 2, minimum=0), Field(examples=["19.90"])]
Price = Annotated[
    Decimal, amount(10, 2, minimum="0.01", pattern=PRICE_PATTERN), Field(examples=["19.90"])
]
Flag = StrictBool
Int = Annotated[int, whole()]
Float = Annotated[FiniteFloat, BeforeValidator(_float_only)]
Email = Annotated[
    str,
    Field(max_length=254, examples=["ana@example.com"]),
    _matches(EMAIL_PATTERN, "is not an email address in ASCII characters"),
    AfterValidator(_check_email),
    Field(json_schema_extra={"format": "email", "pattern": EMAIL_PATTERN}),
]
Day = Annotated[
    date,
    _written(DAY_PATTERN, "write a date as 2026-01-31"),
    Field(examples=["2026-01-31"], json_schema_extra={"pattern": DAY_PATTERN}),
]
Moment = Annotated[
    datetime,
    _written(MOMENT_PATTERN, "write a moment with its zone, as 2026-01-31T09:30:00Z"),
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    Field(examples=["2026-01-31T09:30:00Z"], json_schema_extra={"pattern": MOMENT_PATTERN}),
]
TimeOfDay = Annotated[
    time,
    _written(TIME_PATTERN, "write a time as 09:30"),
    WithJsonSchema({"type": "string", "pattern": TIME_PATTERN, "examples": ["09:30:00"]}),
]
Uuid = Annotated[
    uuid.UUID,
    _written(UUID_PATTERN, "write a UUID in its five groups"),
    Field(
        examples=["6f1c2f9e-5a7b-4c7d-9d53-0f0a4f0e9b1a"],
        json_schema_extra={"pattern": UUID_PATTERN},
    ),
]
JsonObject = Annotated[
    dict[str, Any], AfterValidator(_check_json), Field(examples=[{"color": "blue"}])
]
QueryInt = Annotated[int, Field(ge=-INT32, le=INT32), BeforeValidator(digits_only)]
QueryBigInt = Annotated[int, Field(ge=-INT53, le=INT53), BeforeValidator(digits_only)]
QueryFloat = Annotated[
    float, Field(ge=-REAL, le=REAL, allow_inf_nan=False), BeforeValidator(_decimal_only)
]
Password = Annotated[
    SecretStr,
    AfterValidator(_check_password),
    Field(
        examples=["correct horse battery"],
        json_schema_extra={
            "minLength": get_settings().password_min_length,
            "maxLength": PASSWORD_MAX,
        },
    ),
]
