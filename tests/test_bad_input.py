"""Input of every bad kind: a 4xx that says so, nothing stored, and the next request is answered.

One test for each kind, with many cases. `test_strange_rows.py` stores what is strange and valid.
"""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jose import jwt
from sqlalchemy import func, literal, select, union_all

from app.core.config import get_settings
from app.core.database import database
from app.models import Base
from app.models.user import Role
from tests.conftest import Headers
from tests.factories import make_user, sign_in
from tests.test_categories import make_category
from tests.test_http import check_problem
from tests.test_posts import make_post
from tests.test_products import make_product, new_product

JSON = {"Content-Type": "application/json"}


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


Refuse = Callable[[Iterator[Case]], None]


@pytest.fixture
def refuse(client: TestClient) -> Refuse:
    """Send each case as an administrator, and look at what became of it."""
    make_product(name="Apple", description="100% pure_gold", category_id=make_category().id)
    author = make_user(role=Role.ADMIN)
    make_post(author, slug="a-post", tags=("gold",))
    signed_in = sign_in(author)

    def send(cases: Iterator[Case]) -> None:
        sent: list[Case] = []
        before = contents()
        for case in cases:
            sent.append(case)
            response = client.request(
                case.method, case.path, content=case.content, headers=signed_in | case.headers
            )
            allowed = case.status if isinstance(case.status, tuple) else (case.status,)
            assert response.status_code in allowed, f"{case}: {response.text[:500]}"
            errors = check_problem(response, response.status_code).get("errors", [])
            assert case.fields <= {part for each in errors for part in each["loc"]}, (
                f"{case}: {errors}"
            )
            if len(sent) == 10:
                look(sent, before)
        look(sent, before)

    def look(sent: list[Case], before: list[Any]) -> None:
        assert contents() == before, f"one of these was stored: {sent}"
        item = client.get("/products?limit=1").json()["items"][0]
        assert item["name"] == "Apple", f"after one of these: {sent}"
        sent.clear()

    return send


def contents() -> list[Any]:
    """How many rows each table has, and how often they were changed."""
    statements = []
    for name, table in Base.metadata.tables.items():
        changes: Any = func.sum(table.c.version) if "version" in table.c else literal(0)
        statements.append(select(literal(name), func.count(), changes).select_from(table))
    with database.read_engine.connect() as connection:
        return sorted(map(str, connection.execute(union_all(*statements))))


def bodies(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and schema of every operation that takes JSON, those of new features as well."""
    document = app.openapi()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                schema = resolve(app, content["application/json"]["schema"])
                where = path.removeprefix(get_settings().api_prefix).replace("{slug}", "a-post")
                for parameter in operation.get("parameters", []):
                    where = where.replace(f"{{{parameter['name']}}}", "1")
                yield method.upper(), where, schema


def resolve(app: FastAPI, schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        found: dict[str, Any] = app.openapi()["components"]["schemas"][name]
        return found
    return schema


# A value of each type of JSON.
SAMPLES: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "integer": 7,
    "number": 1.5,
    "string": "7",
    "array": [[]],
    "object": {"a": {"b": []}},
}


def types(app: FastAPI, schema: dict[str, Any]) -> set[str]:
    schema = resolve(app, schema)
    if "anyOf" in schema:
        return set().union(*(types(app, each) for each in schema["anyOf"]))
    found = {schema["type"]}
    return found | {"integer"} if "number" in found else found


# --- What holds for every body, of new features as well ------------------------------------------


def test_null_and_wrong_types(app: FastAPI, client: TestClient, refuse: Refuse) -> None:
    def cases() -> Iterator[Case]:
        for method, path, schema in bodies(app):
            allowed = {name: types(app, field) for name, field in schema["properties"].items()}
            for type_, sample in SAMPLES.items():
                wrong = {name: sample for name, known in allowed.items() if type_ not in known}
                if wrong:
                    yield Case(method, path, json.dumps(wrong), JSON, fields=frozenset(wrong))

    refuse(cases())


def test_bodies_of_another_form(app: FastAPI, refuse: Refuse) -> None:
    def cases() -> Iterator[Case]:
        for method, path, schema in bodies(app):
            name = next(iter(schema["properties"]))
            yield Case(method, path, '{"is_unknown": 1}', JSON)
            yield Case(method, path, "[]", JSON)
            yield Case(method, path, "null", JSON)
            yield Case(method, path, f'{{"{name}": 1, "{name}": 1}}', JSON, 400)

    refuse(cases())


# --- Text ----------------------------------------------------------------------------------------

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
TEXT_FIELDS = [
    ("POST", "/products", '{"price": 1, "name": "%s"}', HOSTILE_TEXT | LINES),
    ("POST", "/posts", '{"title": "a", "content": "%s"}', HOSTILE_TEXT),
    ("PATCH", "/users/me", '{"settings": {"a": "%s"}}', HOSTILE_TEXT | LINES),
    ("PATCH", "/users/me", '{"settings": {"%s": 1}}', HOSTILE_TEXT | LINES),
    ("PATCH", "/users/me", '{"email": "%s@example.com"}', HOSTILE_TEXT | LINES),
    ("PATCH", "/users/me", '{"username": "a%s"}', SOME | LINES),
    ("PATCH", "/users/me", '{"bio": "%s"}', SOME),
    ("PATCH", "/users/me", '{"avatar_url": "https://a.example/%s"}', LINES),
    ("POST", "/posts", '{"content": "a", "title": "%s"}', SOME | LINES),
    ("POST", "/posts", '{"title": "a", "content": "a", "tags": ["%s"]}', SOME | LINES),
    ("POST", "/posts/a-post/comments", '{"body": "%s"}', SOME),
    ("POST", "/products", '{"price": 1, "name": "a", "%s": 1}', SOME),
]


@pytest.mark.parametrize(("method", "path", "body", "hostile"), TEXT_FIELDS)
def test_hostile_text(
    refuse: Refuse, method: str, path: str, body: str, hostile: dict[str, str]
) -> None:
    refuse(Case(method, path, body % text, JSON) for text in hostile.values())


def test_hostile_text_in_queries_and_paths(refuse: Refuse) -> None:
    hostile = [json.loads(f'"{text}"') for text in HOSTILE_TEXT.values()]
    sent = [quote(text, errors="surrogatepass") for text in hostile]

    def cases() -> Iterator[Case]:
        for text in sent:
            yield Case("GET", f"/products?q={text}")
            yield Case("GET", f"/posts?tag={text}")
            yield Case("GET", f"/products?sort={text}")
            yield Case("GET", f"/users?role={text}")
            if text:
                yield Case("GET", f"/posts/{text}", status=(404, 422))
                yield Case("GET", f"/products/{text}")
                yield Case("DELETE", f"/auth/sessions/{text}")

    refuse(cases())


# --- Numbers -------------------------------------------------------------------------------------

NOT_JSON_INTEGERS = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1.5", "1e-1", '"1"', '"١"', "true"),
    *(str(2**31), str(2**63), str(2**64), str(-(2**63) - 1), "9" * 4000, "1e10"),
]
NOT_PRICES = [
    *("NaN", "Infinity", "-Infinity", "1e400", "0", "-1", "0.001", "100000000", "1e8", "true"),
    *('"1e3"', '"1_0"', '" 1"', '"１"', '"+1"', '"01"', '"1."', '".5"', '"0x1"', '"NaN"', '"-0"'),
    *('"Infinity"', '"1,00"', '"0"', '"0.00"', '""', '"' + "9" * 400 + '"', "9" * 4000),
]
NOT_DIGITS = [
    *("0", "-1", str(2**31), str(2**63), str(2**64), "9" * 400, "1.0", "1e3", "1_0", "0x1", "+1"),
    *(
        "%201",
        "1%20",
        "１",
        "١",
        "NaN",
        "Infinity",
        "null",
        "true",
        "1%00",
        "1;",
        "1'",
        "--1",
        "1-1",
    ),
]


def test_numbers_in_json(refuse: Refuse) -> None:
    def cases() -> Iterator[Case]:
        product = json.dumps(new_product(name="B"))
        for number in NOT_JSON_INTEGERS:
            # A whole number of 4,300 digits is more than Python reads.
            yield Case(
                "POST", "/products", product[:-1] + f', "category_id": {number}}}', JSON, (400, 422)
            )
            yield Case("PATCH", "/products/1", f'{{"stock": {number}}}', JSON)
            yield Case("PATCH", "/users/me", f'{{"settings": {{"a": [{number}]}}}}', JSON)
            line = f'{{"product_id": {number}, "quantity": {number}}}'
            yield Case("POST", "/orders", f'{{"items": [{line}]}}', JSON)
        for price in NOT_PRICES:
            yield Case("PATCH", "/products/1", f'{{"price": {price}}}', JSON)
        for setting in (
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            str(2**31),
            str(-(2**31)),
            "1e999",
        ):
            yield Case("PATCH", "/users/me", f'{{"settings": {{"a": {setting}}}}}', JSON)

    refuse(cases())


def test_numbers_in_paths(refuse: Refuse) -> None:
    def cases() -> Iterator[Case]:
        for text in NOT_DIGITS:
            yield Case("GET", f"/products/{text}")
            yield Case("GET", f"/products/{text}/reviews")
            yield Case("DELETE", f"/orders/{text}", status=405)
            yield Case("GET", f"/orders/{text}")
            yield Case("POST", f"/users/{text}/activate")

    refuse(cases())


def test_numbers_in_queries(refuse: Refuse) -> None:
    def cases() -> Iterator[Case]:
        for text in NOT_DIGITS:
            yield Case("GET", f"/products?limit={text}")
            yield Case("GET", f"/products?category_id={text}")
            if text != "0":
                yield Case("GET", f"/products?skip={text}")
        for price in (
            "NaN",
            "Infinity",
            "-1",
            "1e3",
            "1_0",
            "0.001",
            "100000000",
            "1,5",
            "%2B1",
            "１",
        ):
            yield Case("GET", f"/products?min_price={price}")
            yield Case("GET", f"/orders?max_total={price}")
        for quantity in ("1.5", "1e3", str(2**31), str(-(2**31)), "NaN", "", "1_0", "%2B1"):
            yield Case("PATCH", f"/products/1/stock?quantity={quantity}")
        for flag in ("maybe", "2", "-1", "nul", "[]", "trues", ""):
            yield Case("GET", f"/products?in_stock={flag}")

    refuse(cases())


# --- Days, ids, pages ----------------------------------------------------------------------------


def test_days(refuse: Refuse) -> None:
    days = [
        *("0000-00-00", "0001-01-01", "1969-12-31", "2026-02-30", "2026-13-01", "2026-1-1"),
        *("10000-01-01", "-2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00%2B99:99"),
        *(
            "2026-01-01Z",
            "0",
            "1767225600",
            "1e9",
            "today",
            "2026-W01-1",
            "２０２６-01-01",
            "NaN",
            "",
        ),
        *("2026-01-01%00", "20260101", "9999-12-32"),
    ]

    def cases() -> Iterator[Case]:
        for day in days:
            yield Case("GET", f"/orders/reports/sales?from={day}")
            yield Case("GET", f"/orders/reports/sales?to={day}")
        yield Case("GET", "/orders/reports/sales?from=2026-01-02&to=2026-01-01")
        yield Case("GET", "/orders/reports/sales?from=1970-01-01&to=9999-12-31")
        yield Case("GET", "/orders/reports/sales?from=9999-12-31")

    refuse(cases())


def test_pages_and_cursors(client: TestClient, refuse: Refuse, admin_headers: Headers) -> None:
    for _ in range(2):
        make_user()
    cursor = client.get("/users?limit=1&sort=email", headers=admin_headers).json()["next_cursor"]
    cursors = [
        *(cursor[:-1], cursor[:-4], cursor[4:], cursor.swapcase(), "A" + cursor, cursor + "A"),
        *(cursor + "%00", cursor + "é", "", "x", "=", "====", "null", "%ff", "W10", "A" * 1000),
        *("A" * 2001, "..%2F..", "eyJhIjoxfQ", "'"),
    ]

    def cases() -> Iterator[Case]:
        for each in cursors:
            yield Case("GET", f"/users?limit=1&sort=email&cursor={each}")
        yield Case("GET", f"/users?limit=1&sort=-email&cursor={cursor}")
        yield Case("GET", f"/users?limit=1&sort=email&role=user&cursor={cursor}")
        yield Case("GET", f"/products?cursor={cursor}")
        yield Case("GET", f"/users?sort=email&skip=0&cursor={cursor}")

    good = client.get(f"/users?limit=1&sort=email&cursor={cursor}", headers=admin_headers)
    assert good.status_code == 200
    refuse(cases())


def test_sorting_by_what_is_no_column(refuse: Refuse) -> None:
    sorts = [
        *("", "-", ",", "name,", ",name", "--name", "+name", "name%20desc", "name;drop", "Name"),
        *(
            "hashed_password",
            "id",
            "version",
            "search_text",
            "__class__",
            "metadata",
            "1",
            "(name)",
        ),
        *(
            "name'--",
            'name"',
            "name`",
            "name/**/",
            "name,price,name,price,name",
            "price-name",
            "náme",
        ),
        *(
            "(select%201)",
            "case%20when%201=1%20then%20name%20end",
            "name%00",
            "name%0a",
            "random()",
        ),
    ]
    refuse(Case("GET", f"/products?sort={sort}") for sort in sorts)


def test_unknown_and_repeated_parameters(app: FastAPI, refuse: Refuse) -> None:
    def cases() -> Iterator[Case]:
        for path, item in app.openapi()["paths"].items():
            names = [
                p["name"] for p in item.get("get", {}).get("parameters", []) if p["in"] == "query"
            ]
            if "limit" in names and "{" not in path:
                where = path.removeprefix(get_settings().api_prefix)
                yield Case("GET", f"{where}?limit=1&limit=1")
                yield Case("GET", f"{where}?limit=1&limit=2&skip=0")
                yield Case("GET", f"{where}?is_unknown=1")
                yield Case("GET", f"{where}?LIMIT=1")
                yield Case("GET", f"{where}?limit[]=1")
        yield Case("PATCH", "/products/1/stock?quantity=1&quantity=2")
        yield Case("DELETE", "/users/999?hard=true&hard=false")

    refuse(cases())


@pytest.mark.parametrize(
    "q", ["%", "_", "%%", "\\", "A_ple", "A%e", "[a-z]", "*", ".*", "\\%", "'"]
)
def test_wildcards_are_characters(client: TestClient, q: str) -> None:
    make_product(name="Apple")
    kept = make_product(name=f"x{q}y")
    for path in ("/products", "/products/search"):
        items = client.get(path, params={"q": q}).json()["items"]
        assert [item["id"] for item in items] == [kept.id]


# --- Size and nesting ----------------------------------------------------------------------------


def test_size(client: TestClient, refuse: Refuse) -> None:
    limit = get_settings().max_body_bytes

    def cases() -> Iterator[Case]:
        for headers in (JSON, {"Content-Type": "text/plain"}, {}):
            yield Case("POST", "/products", b" " * (limit + 1), JSON | headers, (413, 415))
        yield Case("PATCH", "/users/me", json.dumps({"bio": "a" * limit}), JSON, 413)
        yield Case("POST", "/auth/login", b"username=" + b"a" * limit, FORM, 413)
        yield Case("PATCH", "/users/me", json.dumps({"bio": "a" * 2001}), JSON)
        yield Case(
            "PATCH", "/users/me", json.dumps({"settings": {f"k{n}": n for n in range(51)}}), JSON
        )
        yield Case("PATCH", "/users/me", json.dumps({"settings": {"a": "x" * 256}}), JSON)
        yield Case("PATCH", "/users/me", json.dumps({"email": "a" * 243 + "@example.com"}), JSON)
        yield Case("POST", "/products/bulk", json.dumps({"items": [new_product()] * 1001}), JSON)
        yield Case("POST", "/orders", json.dumps({"items": [{}] * 101}), JSON)
        yield Case("POST", "/posts", json.dumps({"title": "a" * 201, "content": "a"}), JSON)
        yield Case("POST", "/posts", json.dumps({"title": "a", "content": "a" * 100_001}), JSON)
        # A pattern that goes back and forth needs a minute for each of these.
        for text in ("a" * 99_999 + "\x01", " " * 99_999 + "\x01", "\u200b" * 100_000):
            yield Case("POST", "/posts", json.dumps({"title": "a", "content": text}), JSON)
        tags = [f"t{n}" for n in range(11)]
        yield Case("POST", "/posts", json.dumps({"title": "a", "content": "a", "tags": tags}), JSON)
        yield Case("GET", f"/products?q={'a' * 101}")
        yield Case("GET", f"/products?q={'a' * 50_000}")
        yield Case("GET", f"/posts/{'a' * 221}")
        yield Case("GET", f"/products/{'9' * 50_000}")
        yield Case("GET", "/" + "a/" * 10_000, status=404)
        yield Case("GET", "/products?" + "&".join(f"p{n}=1" for n in range(2000)))
        yield Case(
            "GET", "/users/me", headers={"Authorization": "Bearer " + "a" * 50_000}, status=401
        )
        yield Case("DELETE", "/users/me", headers={"If-Match": '"1",' * 10_000 + '"1"'}, status=400)

    refuse(cases())


def test_a_body_that_is_too_large_without_a_length(client: TestClient) -> None:
    piece = b" " * 65_536
    pieces = (piece for _ in range(get_settings().max_body_bytes // len(piece) + 1))
    check_problem(client.post("/users/register", content=pieces, headers=JSON), 413)
    assert client.get("/products").status_code == 200


def test_nesting(refuse: Refuse) -> None:
    def cases() -> Iterator[Case]:
        for depth in (10, 500, 100_000):
            deep = "[" * depth + "]" * depth
            yield Case("PATCH", "/users/me", f'{{"bio": {deep}}}', JSON, (400, 422))
            yield Case("PATCH", "/users/me", f'{{"settings": {{"a": {deep}}}}}', JSON, (400, 422))
            yield Case("POST", "/products", deep, JSON, (400, 422))
            deep = '{"a":' * depth + "1" + "}" * depth
            yield Case("PATCH", "/users/me", f'{{"settings": {deep}}}', JSON, (400, 422))
            yield Case("POST", "/orders", f'{{"items": [{deep}]}}', JSON, (400, 422))
            yield Case("POST", "/products", "[" * depth, JSON, 400)

    refuse(cases())


# --- Media types and encodings -------------------------------------------------------------------

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_media_types_and_encodings(refuse: Refuse) -> None:
    product = json.dumps(new_product(name="Ã"), ensure_ascii=False)

    def cases() -> Iterator[Case]:
        for media_type in (
            *("text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded"),
            *("multipart/form-data", "application", "json", ";;", "*/*", "application/jsonx", "é"),
            *("application/json, text/plain", "text/html; application/json", "\tapplication/json;"),
        ):
            status = 415 if media_type.strip("\t;") != "application/json" else 422
            headers = {"Content-Type": media_type.encode()}
            content = product if status == 415 else "{}"
            yield Case("POST", "/products", content, headers, status)  # type: ignore[arg-type]
        for encoding in ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp037"):
            yield Case("POST", "/products", product.encode(encoding), JSON, 400)
        for content in (
            b"",
            b" ",
            b"\x00",
            b"{",
            b'{"a"',
            b"{'a': 1}",
            b"{a: 1}",
            b"[1,]",
            b"\xff\xfe",
        ):
            yield Case("POST", "/products", content, JSON, 400 if content else 422)
        for content in (
            b'{"a": 1}x',
            b"{} {}",
            b"<a/>",
            b"\xc0\x80",
            b'"\xed\xa0\x80"',
            b"undefined",
        ):
            yield Case("POST", "/products", content, JSON, 400)
        gzip = {"Content-Encoding": "gzip", **JSON}
        yield Case("POST", "/products", b"\x1f\x8b\x08\x00garbage", gzip, 400)
        for content in (
            b"",
            b"a",
            b"username=a",
            b"username=a&username=b&password=c",
            b"=&=",
            b"%",
        ):
            yield Case("POST", "/auth/login", content, FORM, (400, 422))
        for content in (b"grant_type=code&username=a&password=b", b"username[]=a&password=b"):
            yield Case("POST", "/auth/login", content, FORM)
        yield Case("POST", "/auth/login", b"x", {"Content-Type": "multipart/form-data"}, 400)
        boundary = {"Content-Type": "multipart/form-data; boundary=b"}
        yield Case("POST", "/auth/login", b"--c\r\n\r\nx", boundary, 400)
        fields = "&".join(f"f{n}=1" for n in range(1001)).encode()
        yield Case("POST", "/auth/login", fields, FORM, 400)
        yield Case("POST", "/auth/login", b"username=\xff&password=\xff", FORM, (400, 401))
        yield Case("POST", "/auth/login", b"username=%ED%A0%80&password=%00", FORM, (400, 401))
        yield Case("POST", "/auth/login", product, JSON, 415)

    refuse(cases())


# --- Tokens and headers --------------------------------------------------------------------------


def test_tokens(client: TestClient, refuse: Refuse) -> None:
    good = sign_in(make_user())["Authorization"].removeprefix("Bearer ")
    header, payload, signature = good.split(".")
    claims = jwt.get_unverified_claims(good)
    key = get_settings().secret_key

    def signed(**changes: Any) -> str:
        left = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(left, key, algorithm="HS256")

    tokens = [
        *("", "x", ".", "..", "a.b.c", "null", "undefined", "é", "x" * 3000, good[:-1], good + "A"),
        *(
            f"{header}.{payload}.",
            f"{header}.{payload}",
            f".{payload}.{signature}",
            f"{good}.{signature}",
        ),
        *(f"{payload}.{header}.{signature}", good.swapcase(), f"{good},{good}", f"{good}=="),
        *(
            signed(sub=1),
            signed(sub="0"),
            signed(sub="-1"),
            signed(sub=str(2**31)),
            signed(sub="１"),
        ),
        *(signed(sub=None), signed(sub={}), signed(sub="1e0"), signed(sid="x"), signed(sid=None)),
        *(signed(exp=0), signed(exp=None), signed(exp="x"), signed(exp=math.inf), signed(exp=-1)),
        *(
            signed(iat=None),
            signed(aud="x"),
            signed(aud=[]),
            signed(iss="x"),
            signed(typ="refresh"),
        ),
        *(signed(nbf=2**40), signed(nbf="x"), signed(jti=[1]), signed(iat="x")),
    ]

    def cases() -> Iterator[Case]:
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}".encode()}
            yield Case("GET", "/users/me", headers=headers, status=401)  # type: ignore[arg-type]
        for scheme in ("Basic", "Digest", "bearer\t", "Bearer:", "Token", "", "JWT"):
            headers = {"Authorization": f"{scheme}{good}".encode()}
            yield Case("GET", "/users/me", headers=headers, status=401)  # type: ignore[arg-type]

    refuse(cases())
    answer = client.get("/users/me", headers={"Authorization": f"Bearer {good}"})
    assert answer.status_code == 200


def test_headers(client: TestClient, refuse: Refuse) -> None:
    etags = [
        *("1", '"0"', '"-1"', '"01"', '"1', '1"', '""', 'W/"1"', '"1" "2"', '"1";"2"', '"x"', "**"),
        *('"1.0"', '"9999999999"', '"１"', '"1",', ',"1"', "null", '"*"', "'1'", '"1\\"'),
    ]

    def cases() -> Iterator[Case]:
        for etag in etags:
            headers = {"If-Match": etag.encode()}
            yield Case("PATCH", "/users/me", '{"bio": "a"}', JSON | headers, 400)  # type: ignore[operator]

    refuse(cases())
    strange = [b"\x00", b"\xff\xfe", b"a\tb", b"\x1b[31m", b"a" * 5000, b"${jndi:ldap://x}"]
    names = ["User-Agent", "X-Request-ID", "X-Forwarded-For", "Accept", "Origin", "Cookie", "Range"]
    for name in names:
        for value in strange:
            answer = client.get("/products", headers=[(name.encode(), value)])
            assert answer.status_code == 200, (name, value)
            assert answer.json()["total"] == 1
