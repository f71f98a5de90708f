"""Input of every bad kind, and the strangest that is valid: what the tests of features share."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, literal, select, union_all

from app.core.config import get_settings
from app.core.database import database
from app.models import Base
from app.models.user import Role
from tests.factories import make_user, sign_in
from tests.test_http import check_problem

Headers = dict[str, str]

JSON = {"Content-Type": "application/json"}

HOSTILE_TEXT = {
    "NUL": r"a\u0000b",
    "half a character": r"a\ud800",
    "the other half": r"\udc00a",
    "halves in the wrong order": r"\udc00\ud800",
    "bell": r"a\u0007",
    "escape": r"\u001b[31mred",
    "delete": r"a\u007f",
    "C1": r"a\u009b31m",
    "next line": r"a\u0085b",
    "byte order mark": r"\ufeffa",
    "right to left": r"invoice\u202egpj.exe",
    "isolate": r"a\u2066b\u2069",
    "nothing": "",
    "spaces": "  \u3000\u2003 ",
    "zero width": r"\u200b\u200c\u200d",
    "word joiner": r"\u2060",
    "soft hyphen": r"\u00ad",
    "arabic letter mark": r"\u061c",
    "hangul filler": r"\u3164",
    "blank braille": r"\u2800",
    "variation selectors": r"\ufe0f",
    "tags": "\U000e0041\U000e0042",
    "more variation selectors": "\U000e0100",
    "musical controls": "\U0001d173",
}
LINES = {"line feed": r"a\nb", "tab": r"a\tb", "line separator": r"a\u2028b"}
SOME = {name: HOSTILE_TEXT[name] for name in list(HOSTILE_TEXT)[::4]}

NOT_JSON_INTEGERS = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1.5", "1e-1", '"1"', '"١"', "true"),
    *(str(2**31), str(2**63), str(2**64), str(-(2**63) - 1), "9" * 4000, "1e10"),
]
NOT_DIGITS = [
    *("0", "-1", str(2**31), str(2**63), str(2**64), "9" * 400, "1.0", "1e3", "1_0", "0x1", "+1"),
    *("%201", "1%20", "１", "١", "NaN", "Infinity", "null", "true", "1%00", "1;", "1'"),
    *("--1", "1-1"),
]
NOT_SORTS = [
    *("", "-", ",", "name,", ",name", "--name", "+name", "name%20desc", "name;drop", "Name"),
    *("hashed_password", "id", "version", "search_text", "__class__", "metadata", "1", "(name)"),
    *("name'--", 'name"', "name`", "name/**/", "name,price,name,price,name", "price-name"),
    *(
        "náme",
        "(select%201)",
        "case%20when%201=1%20then%20name%20end",
        "name%00",
        "name%0a",
        "random()",
    ),
]
WILDCARDS = ["%", "_", "%%", "\\", "A_ple", "A%e", "[a-z]", "*", ".*", "\\%", "'"]

# What every rule for text lets through.
STRANGE = [
    *("0", "null", "NaN", "[]", "'", '"', "\\", "%", "_", "<script>", "../..", "?a=b&c#d", "%00"),
    *(
        "{{7*7}}",
        "=1+1",
        "\U0001f3f4\U000e0067\U000e007f",
        "👩\u200d👩\u200d👧",
        "e\u0301\u0316\u0301",
    ),
    *(
        "ﷺ",
        "ß",
        "İ",
        "ﬃ",
        "שלום",
        "日本語",
        "\ud55c",
        "𝕬",
        "\U0010ffff",
        "\ufffd",
        "\uffff",
        "\ue000",
    ),
    *("a\u200fb", "a\u00a0b", "\u0301", "\u0390" * 100, "ǆ", "ſ", "µ", "Ω"),
]
# What none does: of an older version, or of a hand in the database.
UNRULY = "\x01\x1b[31m\u202e\u200b\ufeff\n\t\x7f\x85"


# --- Refused -------------------------------------------------------------------------------------


class Case(NamedTuple):
    """content: JSON as text or bytes; what Python cannot write, such as half a character."""

    method: str
    path: str
    content: str | bytes | None = None
    headers: Headers = {}
    status: int | tuple[int, ...] = 422
    fields: frozenset[str] = frozenset()  # that the answer must complain of

    def __repr__(self) -> str:
        return f"{self.method} {self.path[:200]} {self.headers} {ascii(self.content)[:300]}"


def refuse(client: TestClient, cases: Iterable[Case]) -> None:
    """Send each as an administrator: a 4xx, nothing stored, and the next request is answered."""
    admin = make_user(role=Role.ADMIN)
    signed_in = sign_in(admin)
    before, sent = contents(), list[Case]()

    def look() -> None:
        assert contents() == before, f"one of these was stored: {sent}"
        answer = client.get("/users/me", headers=signed_in)
        assert answer.json().get("id") == admin.id, f"after one of these: {sent}"
        sent.clear()

    for case in cases:
        sent.append(case)
        response = client.request(
            case.method, case.path, content=case.content, headers=signed_in | case.headers
        )
        allowed = case.status if isinstance(case.status, tuple) else (case.status,)
        assert response.status_code in allowed, f"{case}: {response.text[:500]}"
        errors = check_problem(response, response.status_code).get("errors", [])
        named = {part for each in errors for part in each["loc"]}
        assert case.fields <= named, f"{case}: {errors}"
        if len(sent) == 10:
            look()
    look()


def contents() -> list[Any]:
    """How many rows each table has, and how often they were changed."""
    statements = []
    for name, table in Base.metadata.tables.items():
        changes: Any = func.sum(table.c.version) if "version" in table.c else literal(0)
        statements.append(select(literal(name), func.count(), changes).select_from(table))
    with database.read_engine.connect() as connection:
        return sorted(map(str, connection.execute(union_all(*statements))))


def hostile_texts(
    method: str, path: str, body: str, texts: dict[str, str] = HOSTILE_TEXT
) -> Iterator[Case]:
    """body: JSON with a %s for the text."""
    return (Case(method, path, body % text, JSON) for text in texts.values())


def in_addresses() -> list[str]:
    """The texts as they stand in paths and queries."""
    texts = [json.loads(f'"{text}"') for text in HOSTILE_TEXT.values()]
    return [quote(text, errors="surrogatepass") for text in texts]


# --- Stored --------------------------------------------------------------------------------------


def read_all(
    client: TestClient, app: FastAPI, tag: str, ids: dict[str, list[Any]], headers: Headers
) -> None:
    """Every GET of a feature: each row of `ids`, and every list in each order to its end."""
    for path in _reads(app, tag, ids):
        cursor: str | None = ""
        while cursor is not None:
            response = client.get(path + cursor, headers=headers)
            assert response.status_code == 200, f"{path}: {response.text[:500]}"
            answer = response.json()
            following = answer.get("next_cursor") if isinstance(answer, dict) else None
            cursor = f"&cursor={following}" if following and "sort=" in path else None


def _reads(app: FastAPI, tag: str, ids: dict[str, list[Any]]) -> Iterator[str]:
    for path, item in app.openapi()["paths"].items():
        operation = item.get("get", {})
        if tag not in operation.get("tags", []):
            continue
        where = path.removeprefix(get_settings().api_prefix)
        parameters = operation.get("parameters", [])
        names = [each["name"] for each in parameters if each["in"] == "path"]
        for row in ids.get(names[0], []) if names else [None]:
            found = where.replace(f"{{{names[0]}}}", str(row)) if names else where
            if "search" in where:
                found += "?q=a"
            yield found
            for column in _sortable(parameters):
                yield f"{found}{'&' if '?' in found else '?'}limit=40&sort=-{column}"


def _sortable(parameters: list[dict[str, Any]]) -> list[str]:
    return [
        column
        for each in parameters
        if each["name"] == "sort"
        for column in each["schema"]["pattern"].split("(")[1].split(")")[0].split("|")
    ]
