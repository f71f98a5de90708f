"""Types that the schemas share. What passes them fits its column on every database."""

import math
import re
import unicodedata
from collections.abc import Iterator
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

from app.core.config import get_settings

INT32 = 2**31 - 1  # the largest INTEGER of PostgreSQL and MySQL
PASSWORD_MAX = 128  # characters; a limit, so that hashing has one as well

# Characters, as the inside of a class that Python, Rust and JavaScript read alike.
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufeff"
_TURNING = r"\u202a-\u202e\u2066-\u2069"  # these let a text be shown in another order
_BREAKS = r"\u0009\u000a\u000d\u2028\u2029"
_UNSEEN = (
    r"\u0020\u00a0\u00ad\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028\u2029\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0"
)
_LINE = _CONTROLS + _TURNING + _BREAKS
_TEXT = _CONTROLS + _TURNING

# One character at least that can be seen, and none that plays tricks.
LINE_PATTERN = rf"^[^{_LINE}]*[^{_LINE}{_UNSEEN}][^{_LINE}]*$"
TEXT_PATTERN = rf"^[^{_TEXT}]*[^{_TEXT}{_BREAKS}{_UNSEEN}][^{_TEXT}]*$"

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# What NUMERIC(10, 2) holds; a price is more than nothing.
MONEY_PATTERN = r"^(0|[1-9][0-9]{0,7})(\.[0-9]{1,2})?$"
PRICE_PATTERN = r"^([1-9][0-9]{0,7}(\.[0-9]{1,2})?|0\.[1-9][0-9]?|0\.0[1-9])$"

EMAIL_PATTERN = rf"^{_ATOM}(\.?{_ATOM}){{0,63}}@({_LABEL}\.)+[A-Za-z]{{2,63}}$"


def digits_only(value: object) -> object:
    """Numbers in a path or query are text. Pydantic also reads `1_0`, ` 1` and `1.0`."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,19}", value):
        raise ValueError("write a whole number in digits")
    return value


def number_only(value: object) -> object:
    """Numbers in JSON are numbers. Pydantic also reads `"1"` and `true`."""
    if isinstance(value, bool | str):
        raise ValueError("write a whole number, not text or a boolean")
    return value


def _float_only(value: object) -> object:
    """A float in JSON. Pydantic also reads text and integers, which it would round."""
    if not isinstance(value, float):
        raise ValueError("write a number with a point")
    return value


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


def _read_money(value: object) -> Decimal:
    """An amount written as text or as a number, exactly.

    0.1 + 0.2 is 0.30000000000000004 in JavaScript: what is off by no more than that is meant.
    """
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**8:
        cents = round(value * 100)
        if math.isclose(value * 100, cents, rel_tol=1e-12):
            return Decimal(cents).scaleb(-2)
    if isinstance(value, str) and re.fullmatch(MONEY_PATTERN, value):
        return Decimal(value).quantize(Decimal("0.01"))
    raise ValueError("write an amount with at most 8 digits, and 2 behind the point")


def _money(pattern: str, minimum: Decimal) -> _Constraints:
    text = {"type": "string", "pattern": pattern}
    number = {"type": "number", "minimum": float(minimum), "maximum": 99_999_999.99}
    schema = {"anyOf": [text, number | {"multipleOf": 0.01}], "examples": ["19.90"]}
    return _Constraints(Field(ge=minimum), BeforeValidator(_read_money), WithJsonSchema(schema))


def _visible(pattern: str, max_length: int) -> _Constraints:
    return _Constraints(
        StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length),
        _matches(pattern, "needs a visible character, and has no control characters"),
        Field(json_schema_extra={"pattern": pattern}),
    )


def line(max_length: int) -> _Constraints:
    """Constraints of a text of one line. It is stored stripped."""
    return _visible(LINE_PATTERN, max_length)


def text(max_length: int) -> _Constraints:
    """Constraints of a text that may have many lines. It is stored stripped."""
    return _visible(TEXT_PATTERN, max_length)


def _check_password(password: SecretStr) -> SecretStr:
    text = unicodedata.normalize("NFKC", password.get_secret_value())
    minimum = get_settings().password_min_length
    if not minimum <= len(text) <= PASSWORD_MAX:
        raise ValueError(f"has {minimum} to {PASSWORD_MAX} characters")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("has half of a character")  # which UTF-8 cannot express
    return password


Id = Annotated[int, Field(ge=1, le=INT32, examples=[1]), BeforeValidator(digits_only)]
JsonId = Annotated[int, Field(ge=1, le=INT32, examples=[1]), BeforeValidator(number_only)]
Count = Annotated[int, Field(ge=0, le=INT32, examples=[3]), BeforeValidator(number_only)]
Money = Annotated[Decimal, _money(MONEY_PATTERN, Decimal(0))]
Price = Annotated[Decimal, _money(PRICE_PATTERN, Decimal("0.01"))]
Flag = StrictBool
Int = Annotated[int, Field(ge=-INT32, le=INT32), BeforeValidator(number_only)]
Float = Annotated[FiniteFloat, BeforeValidator(_float_only)]
Email = Annotated[
    str,
    Field(max_length=255, examples=["ana@example.com"]),
    _matches(EMAIL_PATTERN, "is not an email address in ASCII characters"),
    AfterValidator(_check_email),
    Field(json_schema_extra={"format": "email", "pattern": EMAIL_PATTERN}),
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
