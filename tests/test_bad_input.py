"""Input of every bad kind: a 4xx that says so, nothing stored, and the next request is answered.

What holds for every operation is found in the document; the rest is tried on accounts. What only
one feature takes, its own tests try. `test_strange_rows.py` stores what is strange and valid.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jose import jwt

from app.core.config import get_settings
from tests.conftest import Headers
from tests.factories import make_user, sign_in
from tests.hostile import (
    HOSTILE_TEXT,
    JSON,
    LINES,
    NOT_DIGITS,
    NOT_JSON_INTEGERS,
    NOT_SORTS,
    SOME,
    WILDCARDS,
    Case,
    hostile_texts,
    in_addresses,
    refuse,
)
from tests.test_http import check_problem
from tests.test_users import new_user

pytestmark = pytest.mark.thorough

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def bodies(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and schema of every operation that takes JSON."""
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                schema = resolve(app, content["application/json"]["schema"])
                where = path.removeprefix(get_settings().api_prefix)
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


# --- What holds for every operation, of new features as well -------------------------------------


def test_null_and_wrong_types(app: FastAPI, client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for method, path, schema in bodies(app):
            allowed = {name: types(app, field) for name, field in schema["properties"].items()}
            for type_, sample in SAMPLES.items():
                wrong = {name: sample for name, known in allowed.items() if type_ not in known}
                if wrong:
                    yield Case(method, path, json.dumps(wrong), JSON, fields=frozenset(wrong))

    refuse(client, cases())


def test_bodies_of_another_form(app: FastAPI, client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for method, path, schema in bodies(app):
            name = next(iter(schema["properties"]))
            yield Case(method, path, '{"is_unknown": 1}', JSON)
            yield Case(method, path, "[]", JSON)
            yield Case(method, path, "null", JSON)
            yield Case(method, path, f'{{"{name}": 1, "{name}": 1}}', JSON, 400)

    refuse(client, cases())


def test_unknown_and_repeated_parameters(app: FastAPI, client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for path, item in app.openapi()["paths"].items():
            names = [
                p["name"] for p in item.get("get", {}).get("parameters", []) if p["in"] == "query"
            ]
            where = path.removeprefix(get_settings().api_prefix)
            if "limit" in names and "{" not in path:
                yield Case("GET", f"{where}?limit=1&limit=1")
                yield Case("GET", f"{where}?limit=1&limit=2&skip=0")
                yield Case("GET", f"{where}?LIMIT=1")
                yield Case("GET", f"{where}?limit[]=1")
            for method in item:
                if where != path:  # what checks the health of the app may ask as it likes
                    yield Case(method.upper(), f"{re.sub(r'{[a-z_]+}', '1', where)}?is_unknown=1")
        yield Case("DELETE", "/users/999?hard=true&hard=false")

    refuse(client, cases())


# --- Text ----------------------------------------------------------------------------------------

TEXT_FIELDS = [
    ('{"full_name": "%s"}', HOSTILE_TEXT | LINES),
    ('{"bio": "%s"}', HOSTILE_TEXT),
    ('{"settings": {"a": "%s"}}', HOSTILE_TEXT | LINES),
    ('{"settings": {"%s": 1}}', HOSTILE_TEXT | LINES),
    ('{"email": "%s@example.com"}', HOSTILE_TEXT | LINES),
    ('{"username": "a%s"}', SOME | LINES),
    ('{"avatar_url": "https://a.example/%s"}', LINES),
    ('{"full_name": "a", "%s": 1}', SOME),
]


@pytest.mark.parametrize(("body", "hostile"), TEXT_FIELDS, ids=[body for body, _ in TEXT_FIELDS])
def test_hostile_text(client: TestClient, body: str, hostile: dict[str, str]) -> None:
    refuse(client, hostile_texts("PATCH", "/users/me", body, hostile))


def test_hostile_text_in_queries_and_paths(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for text in in_addresses():
            yield Case("GET", f"/users?q={text}")
            yield Case("GET", f"/users?sort={text}")
            yield Case("GET", f"/users?role={text}")
            if text:
                yield Case("GET", f"/users/{text}")
                yield Case("DELETE", f"/auth/sessions/{text}")

    refuse(client, cases())


def test_wildcards_are_characters(client: TestClient, admin_headers: Headers) -> None:
    make_user(display_name="Apple")
    for number, q in enumerate(WILDCARDS):
        kept = make_user(display_name=f"{number}x{q}y")
        items = client.get("/users", params={"q": f"{number}x{q}"}, headers=admin_headers).json()
        assert [item["id"] for item in items["items"]] == [kept.id], q
        items = client.get("/users", params={"q": f"A{q}"}, headers=admin_headers).json()
        assert items["items"] == [], q


# --- Numbers -------------------------------------------------------------------------------------


def test_numbers_in_json(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for number in NOT_JSON_INTEGERS:
            # A whole number of 4,300 digits is more than Python reads.
            body = f'{{"ids": [{number}], "is_active": true}}'
            yield Case("POST", "/users/bulk-status", body, JSON, (400, 422))
            yield Case("PATCH", "/users/me", f'{{"settings": {{"a": [{number}]}}}}', JSON)
        for setting in (
            *("NaN", "Infinity", "-Infinity", "1e400", "1e999"),
            *(str(2**31), str(-(2**31))),
        ):
            yield Case("PATCH", "/users/me", f'{{"settings": {{"a": {setting}}}}}', JSON)

    refuse(client, cases())


def test_numbers_in_paths_and_queries(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for text in NOT_DIGITS:
            yield Case("GET", f"/users/{text}")
            yield Case("POST", f"/users/{text}/activate")
            yield Case("GET", f"/users?limit={text}")
            if text != "0":
                yield Case("GET", f"/users?skip={text}")
        for flag in ("maybe", "2", "-1", "nul", "[]", "trues", ""):
            yield Case("GET", f"/users?is_active={flag}")

    refuse(client, cases())


# --- Pages ---------------------------------------------------------------------------------------


def test_pages_and_cursors(client: TestClient, admin_headers: Headers) -> None:
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
        yield Case("GET", f"/users?cursor={cursor}")
        yield Case("GET", f"/users?sort=email&skip=0&cursor={cursor}")

    good = client.get(f"/users?limit=1&sort=email&cursor={cursor}", headers=admin_headers)
    assert good.status_code == 200
    refuse(client, cases())


def test_sorting_by_what_is_no_column(client: TestClient) -> None:
    refuse(client, (Case("GET", f"/users?sort={sort}") for sort in NOT_SORTS))


# --- Size and nesting ----------------------------------------------------------------------------


def test_size(client: TestClient) -> None:
    limit = get_settings().max_body_bytes

    def cases() -> Iterator[Case]:
        for headers in (JSON, {"Content-Type": "text/plain"}, {}):
            yield Case("POST", "/users", b" " * (limit + 1), JSON | headers, (413, 415))
        yield Case("PATCH", "/users/me", json.dumps({"bio": "a" * limit}), JSON, 413)
        yield Case("POST", "/auth/login", b"username=" + b"a" * limit, FORM, 413)
        # A pattern that goes back and forth needs a minute for each of these.
        for text in ("a" * 1999 + "\x01", " " * 1999 + "\x01", "\u200b" * 2000):
            yield Case("PATCH", "/users/me", json.dumps({"bio": text}), JSON)
        settings = {f"k{n}": n for n in range(51)}
        yield Case("PATCH", "/users/me", json.dumps({"bio": "a" * 2001}), JSON)
        yield Case("PATCH", "/users/me", json.dumps({"settings": settings}), JSON)
        yield Case("PATCH", "/users/me", json.dumps({"settings": {"a": "x" * 256}}), JSON)
        address = {"email": "a" * 243 + "@example.com", "current_password": "x"}
        yield Case("POST", "/users/me/email", json.dumps(address), JSON)
        many = json.dumps({"ids": list(range(1, 1002)), "is_active": True})
        yield Case("POST", "/users/bulk-status", many, JSON)
        yield Case("GET", f"/users?q={'a' * 101}")
        yield Case("GET", f"/users?q={'a' * 50_000}")
        yield Case("GET", f"/users/{'9' * 50_000}")
        yield Case("GET", "/" + "a/" * 10_000, status=404)
        yield Case("GET", "/users?" + "&".join(f"p{n}=1" for n in range(2000)))
        yield Case(
            "GET", "/users/me", headers={"Authorization": "Bearer " + "a" * 50_000}, status=401
        )
        yield Case("DELETE", "/users/me", headers={"If-Match": '"1",' * 10_000 + '"1"'}, status=400)

    refuse(client, cases())


def test_a_body_that_is_too_large_without_a_length(client: TestClient) -> None:
    piece = b" " * 65_536
    pieces = (piece for _ in range(get_settings().max_body_bytes // len(piece) + 1))
    check_problem(client.post("/users/register", content=pieces, headers=JSON), 413)
    assert client.post("/users/register", json=new_user()).status_code == 201


def test_nesting(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for depth in (10, 500, 100_000):
            deep = "[" * depth + "]" * depth
            yield Case("PATCH", "/users/me", f'{{"bio": {deep}}}', JSON, (400, 422))
            yield Case("PATCH", "/users/me", f'{{"settings": {{"a": {deep}}}}}', JSON, (400, 422))
            yield Case("POST", "/users", deep, JSON, (400, 422))
            deep = '{"a":' * depth + "1" + "}" * depth
            yield Case("PATCH", "/users/me", f'{{"settings": {deep}}}', JSON, (400, 422))
            yield Case("POST", "/users/bulk-status", f'{{"ids": [{deep}]}}', JSON, (400, 422))
            yield Case("POST", "/users", "[" * depth, JSON, 400)

    refuse(client, cases())


# --- Media types and encodings -------------------------------------------------------------------


def test_media_types_and_encodings(client: TestClient) -> None:
    user = json.dumps(new_user(full_name="Ã"), ensure_ascii=False)

    def cases() -> Iterator[Case]:
        for media_type in (
            *("text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded"),
            *("multipart/form-data", "application", "json", ";;", "*/*", "application/jsonx", "é"),
            *("application/json, text/plain", "text/html; application/json", "\tapplication/json;"),
        ):
            status = 415 if media_type.strip("\t;") != "application/json" else 422
            headers = {"Content-Type": media_type.encode()}
            content = user if status == 415 else "{}"
            yield Case("POST", "/users", content, headers, status)  # type: ignore[arg-type]
        for encoding in ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp037"):
            yield Case("POST", "/users", user.encode(encoding), JSON, 400)
        yield Case("POST", "/users", b"", JSON)
        for content in (
            *(b" ", b"\x00", b"{", b'{"a"', b"{'a': 1}", b"{a: 1}", b"[1,]", b"\xff\xfe", b"{} {}"),
            *(b'{"a": 1}x', b"<a/>", b"\xc0\x80", b'"\xed\xa0\x80"', b"undefined"),
        ):
            yield Case("POST", "/users", content, JSON, 400)
        gzip = {"Content-Encoding": "gzip", **JSON}
        yield Case("POST", "/users", b"\x1f\x8b\x08\x00garbage", gzip, 415)
        yield Case("POST", "/users", user, gzip, 415)
        two = {"Content-Encoding": "identity, gzip", **JSON}
        yield Case("POST", "/users", user, two, 415)
        for charset in ("utf-16", "latin-1", "nothing", '"'):
            headers = {"Content-Type": f"application/json; charset={charset}".encode()}
            yield Case("POST", "/users", user, headers, 415)  # type: ignore[arg-type]
        yield Case("POST", "/users", "{}", {"Content-Type": "application/json; charset=UTF-8"})
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
        yield Case("POST", "/auth/login", user, JSON, 415)

    refuse(client, cases())


# --- Tokens and headers --------------------------------------------------------------------------


def test_tokens(client: TestClient) -> None:
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

    refuse(client, cases())
    answer = client.get("/users/me", headers={"Authorization": f"Bearer {good}"})
    assert answer.status_code == 200


def test_headers(client: TestClient) -> None:
    etags = [
        *("1", '"0"', '"-1"', '"01"', '"1', '1"', '""', 'W/"1"', '"1" "2"', '"1";"2"', '"x"', "**"),
        *('"1.0"', '"9999999999"', '"１"', '"1",', ',"1"', "null", '"*"', "'1'", '"1\\"'),
    ]

    def cases() -> Iterator[Case]:
        for etag in etags:
            headers = {"If-Match": etag.encode()}
            yield Case("PATCH", "/users/me", '{"bio": "a"}', JSON | headers, 400)  # type: ignore[operator]

    refuse(client, cases())
    strange = [b"\x00", b"\xff\xfe", b"a\tb", b"\x1b[31m", b"a" * 5000, b"${jndi:ldap://x}"]
    signed_in = [(b"authorization", sign_in(make_user())["Authorization"].encode())]
    names = ["User-Agent", "X-Request-ID", "X-Forwarded-For", "Accept", "Origin", "Cookie", "Range"]
    for name in names:
        for value in strange:
            answer = client.get("/users/me", headers=[*signed_in, (name.encode(), value)])
            assert answer.status_code == 200, (name, value)
