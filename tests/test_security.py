"""What security standards ask, where no other test shows it. docs/security.md lists them all."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jose import jwt

from app.core.columns import utcnow
from app.core.config import ROOT, get_settings
from app.core.security import _common_passwords, create_secret
from app.models.token import Token
from app.models.user import User
from tests.factories import PASSWORD, add, make_user, sign_in
from tests.support import stored
from tests.test_auth import bearer, encode, forged, login, refresh
from tests.test_http import check_problem, operations


def test_every_test_of_the_table_is_there() -> None:
    table = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)::(test_\w+)`", table))
    missing = []
    for module, test in sorted(named):
        path = ROOT / "tests" / f"{module}.py"
        if not path.exists() or f"def {test}(" not in path.read_text("utf-8"):
            missing.append(f"{module}::{test}")
    assert missing == []
    here = (ROOT / "tests" / "test_security.py").read_text("utf-8")
    own = set(re.findall(r"^def (test_\w+)", here, re.MULTILINE))
    shown = {test for module, test in named if module == "test_security"}
    assert own - shown == {"test_every_test_of_the_table_is_there"}
    assert re.findall(r"^\| API(\d) ", table, re.MULTILINE) == list("123456789")


# --- What goes in and out, of new features as well ------------------------------------------------


def objects(app: FastAPI, wanted: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas of all bodies that are sent ("in") or answered ("out"), and those within."""
    schemas = app.openapi()["components"]["schemas"]
    found: set[str] = set()
    for _, _, operation in operations(app):
        sent = operation.get("requestBody", {}) if wanted == "in" else operation["responses"]
        names = set(re.findall(r"#/components/schemas/(\w+)", str(sent)))
        while new := names - found:
            found |= new
            names = set(re.findall(r"#/components/schemas/(\w+)", str([schemas[n] for n in new])))
    return ((name, schemas[name]) for name in sorted(found) if "properties" in schemas[name])


def test_no_input_takes_what_it_does_not_name(app: FastAPI) -> None:
    for name, schema in objects(app, "in"):
        if name.startswith("Body_"):
            continue  # OAuth's own form of a login
        assert schema.get("additionalProperties") is False, name


def test_no_answer_shows_a_secret(app: FastAPI) -> None:
    secret = re.compile("password|hash|secret|token|_key$|search_text")
    found = {(n, f) for n, s in objects(app, "out") for f in s["properties"] if secret.search(f)}
    pair = {(n, f) for n, f in found if n == "TokenPair"}
    assert {field for _, field in pair} == {"access_token", "token_type", "refresh_token"}
    assert found == pair


def test_every_input_has_a_limit(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for name, schema in objects(app, "in"):
        for field, kind in schema["properties"].items():
            if not name.startswith("Body_"):
                assert is_limited(kind, schemas), f"{name}.{field}: {kind}"
    for path, _, operation in operations(app):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                where = f"{path} {parameter['name']}"
                assert is_limited(parameter["schema"], schemas), where
            if parameter["name"] == "limit":
                assert parameter["schema"]["maximum"] <= 100, path


def is_limited(kind: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether no value of this kind is longer, larger or deeper than it has to be."""
    if "$ref" in kind:
        return True  # of an object, which is looked at by itself, or of an enum
    if "anyOf" in kind:
        return all(is_limited(each, schemas) for each in kind["anyOf"])
    match kind.get("type"):
        case "string":
            endless = not {"*", "+"}.isdisjoint(kind.get("pattern", "*"))
            return not endless or bool(kind.keys() & {"maxLength", "format", "enum", "const"})
        case "array":
            return "maxItems" in kind and is_limited(kind["items"], schemas)
        case "integer" | "number":
            return bool(kind.keys() & {"maximum", "exclusiveMaximum"})
        case "object":
            return bool(kind.keys() & {"maxProperties", "additionalProperties"})
    return kind.get("type") in ("boolean", "null") or "const" in kind


def test_no_route_is_hidden() -> None:
    """But for the pages for people: what is served is in the document."""
    hiding = {
        path.relative_to(ROOT / "app").as_posix()
        for path in (ROOT / "app").rglob("*.py")
        if re.search(r"include_in_schema ?= ?False|\.mount\(|add_route\(", path.read_text("utf-8"))
    }
    assert hiding == {"core/docs.py"}


def test_nothing_connects_to_where_a_client_says() -> None:
    """Only these modules of the server can connect to anything, and to what settings name."""
    connecting = {"smtplib", "redis", "socket", "httpx", "httpx2", "requests", "ftplib", "urllib3"}
    connecting |= {"http.client", "urllib.request", "aiohttp", "subprocess", "webbrowser"}
    found = set()
    for path in (ROOT / "app").rglob("*.py"):
        if path.is_relative_to(ROOT / "app" / "cli"):
            continue  # commands of a developer
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                package = name.partition(".")[0]
                if connecting & {name, package}:
                    found.add((path.relative_to(ROOT / "app").as_posix(), package))
    assert found == {
        ("core/mail.py", "smtplib"),
        ("core/rate_limit.py", "redis"),
        ("core/http_protocol.py", "socket"),  # for the names of options
    }


# --- Passwords ------------------------------------------------------------------------------------

TAKEN = [
    "abcdefgz",
    "        z        ",
    "12345678909",
    "ÀÉÎÕÜ ção ß",
    "\ufdfa" * 8,
    "日本語のパスワード",
    "correct 🐎 battery",
    "'; DROP TABLE users; --",
    "x" * 64,
    "a 1-€" * 25,
]


@pytest.mark.parametrize("password", TAKEN)
def test_a_password_is_taken_as_it_is(client: TestClient, password: str) -> None:
    """Neither cut, nor stripped, nor in another case."""
    data = {"username": "ana", "email": "ana@example.com", "password": password}
    assert client.post("/users/register", json=data).status_code == 201

    def log_in(tried: str) -> int:
        form = {"username": "ana", "password": tried}
        return client.post("/auth/login", data=form).status_code

    assert log_in(password) == 200
    others = {password[:-1], password + " ", password.swapcase(), password.strip()} - {password}
    assert {log_in(other) for other in others} == {401}


def test_a_password_does_not_grow_old(client: TestClient) -> None:
    long_ago = utcnow() - timedelta(days=10_000)
    user = make_user(created_at=long_ago, updated_at=long_ago, last_login_at=long_ago)
    assert login(client, user)["access_token"]


def test_a_password_that_is_easy_to_guess_is_refused(client: TestClient) -> None:
    common = _common_passwords()
    assert len(common) >= 3000
    assert min(map(len, common)) >= 8  # a shorter one is refused anyway
    user = make_user(username="ana.souza", email="ana.souza.2@example.com")
    headers = sign_in(user)
    name = get_settings().app_name
    guesses = [*sorted(common)[::500], "PASSWORD1", "ANA.Souza", "ana.souza.2", user.email, name]
    for guess in [*guesses, name.replace(" ", "").upper()]:
        change = {"current_password": PASSWORD, "new_password": guess}
        changed = client.post("/users/me/password", json=change, headers=headers)
        registration = {"username": user.username, "email": user.email, "password": guess}
        registered = client.post("/users/register", json=registration)
        for answer in (changed, registered):
            errors = check_problem(answer, 422)["errors"]
            assert errors[0]["loc"][-1] in ("password", "new_password"), guess
    assert login(client, user)


def test_nobody_is_there_from_the_start() -> None:
    for path in (ROOT / "alembic" / "versions").glob("*.py"):
        made = re.search(r"insert\W+(into\W+)?users", path.read_text("utf-8"), re.IGNORECASE)
        assert made is None, path.name
    assert stored(User) == []


# --- Sessions and tokens --------------------------------------------------------------------------


def test_secrets_cannot_be_guessed() -> None:
    secrets = {create_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert {len(secret) for secret in secrets} == {43}  # 256 bits, six in a character
    assert len({secret[:6] for secret in secrets}) > 990


def test_each_login_is_a_session_of_its_own(client: TestClient, user: User) -> None:
    pairs = [login(client, user) for _ in range(3)]
    assert len({token.family for token in stored(Token)}) == 3
    client.post("/auth/logout", headers=bearer(pairs[0]))
    statuses = [client.get("/users/me", headers=bearer(pair)).status_code for pair in pairs]
    assert statuses == [401, 200, 200]


def test_a_session_ends_however_much_it_is_used(client: TestClient, user: User) -> None:
    pair = login(client, user)
    last = timedelta(days=get_settings().session_days)
    token = stored(Token)[0]
    token.signed_in_at = utcnow() - last + timedelta(hours=1)
    add(token)
    pair = refresh(client, pair).json()
    newest = stored(Token)[-1]
    assert newest.expires_at - newest.signed_in_at == last  # and not by 30 days more
    newest.expires_at = utcnow() - timedelta(seconds=1)
    add(newest)
    assert refresh(client, pair).status_code == 401


def test_a_token_cannot_bring_its_own_key(client: TestClient, user: User) -> None:
    sign_in(user)
    claims = forged(sub=str(user.id), sid=str(stored(Token)[0].family))
    key = "a key of the attacker, 32 bytes or more"
    headers: list[dict[str, Any]] = [
        {"jwk": {"kty": "oct", "k": "YSBrZXkgb2YgdGhlIGF0dGFja2VyLCAzMiBieXRlcyBvciBtb3Jl"}},
        *({"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/cert"}),
        *({"kid": "/dev/null"}, {"kid": "' UNION SELECT 'x"}, {"x5c": ["AAAA"]}),
    ]
    for header in headers:
        token = jwt.encode(claims, key, algorithm="HS256", headers=header)
        answer = client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, header
    whole = client.get("/users/me", headers={"Authorization": f"Bearer {encode(claims)}"})
    assert whole.status_code == 200


# --- Configuration --------------------------------------------------------------------------------


def test_secrets_stay_out_of_git() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {".env", ".secret_key"} <= set(ignored)
    example = (ROOT / ".env.example").read_text("utf-8")
    assert re.findall(r"^(?:SECRET_KEY|SMTP_PASSWORD)=(.*)$", example, re.MULTILINE) == ["", ""]


def test_no_file_of_the_tree_is_served(client: TestClient) -> None:
    for path in (
        *("/.git/config", "/.git/", "/.env", "/.secret_key", "/app.db", "/run.py", "/app/main.py"),
        *(
            "/docs/assets",
            "/docs/assets/",
            "/docs/assets/%2e%2e",
            "/docs/assets/%2e%2e/__init__.py",
        ),
        *("/docs/assets//etc/passwd", "/docs/assets/%2fetc%2fpasswd", "/static/"),
    ):
        check_problem(client.get(f"http://testserver{path}"), 404)


def test_trace_is_not_answered(client: TestClient) -> None:
    for path in ("/", "/api/v1/users/me", "/health/live", "/docs"):
        answer = client.request("TRACE", f"http://testserver{path}", headers={"X-Echo": "me"})
        check_problem(answer, 405)
        assert "me" not in answer.headers.values()
