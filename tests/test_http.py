"""What holds for every request: errors, headers, limits, logs, and the OpenAPI document."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from app.core.config import Settings, get_settings
from app.core.logging import ConsoleFormatter, JsonFormatter, request_id
from app.core.routing import APIRouter
from app.main import create_app
from tests.support import at_once

Headers = dict[str, str]

REGISTER = "/users/register"


def settings(**values: Any) -> Settings:
    return get_settings().model_copy(update=values)


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://testserver/api/v1")


def check_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


# --- Errors ----------------------------------------------------------------------------------


def test_every_error_is_a_problem(client: TestClient, auth_headers: Headers) -> None:
    json_type = {"content-type": "application/json"}
    check_problem(client.get("/nothing/here"), 404)
    check_problem(client.get("http://testserver/nothing"), 404)
    check_problem(client.get("/users/me"), 401)
    check_problem(client.get("/users", headers=auth_headers), 403)
    check_problem(client.post(REGISTER, json={}), 422)
    check_problem(client.post(REGISTER, content=b"{", headers=json_type), 400)
    check_problem(client.post(REGISTER, content=b"\xff\xfe", headers=json_type), 400)
    check_problem(client.post(REGISTER, content=b"[" * 100_000, headers=json_type), 400)
    check_problem(client.post(REGISTER, json=[]), 422)
    check_problem(client.post(REGISTER), 422)


def test_the_document_is_made_once_whoever_asks_first() -> None:
    app = create_app()
    documents = at_once(8, lambda _: app.openapi())
    assert all(document is documents[0] for document in documents)
    assert documents[0]["components"]["schemas"]["Problem"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/users", "GET, POST"),
        ("PUT", "/users/me", "DELETE, GET, PATCH"),
        ("PATCH", "/users/register", "POST"),
        ("GET", "/users/register", "POST"),
        ("POST", "/users/7", "DELETE, GET, PATCH, PUT"),
        ("POST", "http://testserver/health/live", "GET"),
    ],
)
def test_405_tells_all_methods(client: TestClient, method: str, path: str, allow: str) -> None:
    response = client.request(method, path)
    check_problem(response, 405)
    assert response.headers["allow"] == allow


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "text/plain"}, b"{}"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"username=ana"),
        ({"content-type": "application/xml"}, b"<a/>"),
        ({"content-type": ";;"}, b"{}"),
        ({}, b"{}"),
    ],
)
def test_415_for_what_is_not_json(client: TestClient, headers: Headers, content: bytes) -> None:
    check_problem(client.post(REGISTER, content=content, headers=headers), 415)


def test_a_monitor_may_ask_for_the_head_alone(client: TestClient) -> None:
    for path in ("/", "/health/live", "/health/ready"):
        read, head = (client.request(m, f"http://testserver{path}") for m in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (read.status_code, b"")
        assert head.headers["content-type"] == read.headers["content-type"]
    assert client.head("/users/me").status_code == 405


def test_415_for_two_media_types(client: TestClient) -> None:
    types = [("Content-Type", each) for each in ("application/json", "text/plain")]
    check_problem(client.post(REGISTER, content=b"{}", headers=types), 415)


def test_415_for_a_login_that_is_no_form(client: TestClient) -> None:
    data = {"username": "ana", "password": "x"}
    check_problem(client.post("/auth/login", json=data), 415)
    assert client.post("/auth/login", data=data).status_code == 401
    assert client.post("/auth/login", files={"username": (None, "a")}).status_code == 422


def test_a_problem_does_not_echo_the_input(client: TestClient) -> None:
    secret = "hunter2-secret"
    for data in ({"password": secret}, {"password": {"deep": secret}}, [secret], secret):
        response = client.post(REGISTER, json=data)
        check_problem(response, 422)
        assert secret not in response.text


@pytest.mark.parametrize("name", ["\\ud800", "\\u0000", "NaN", "\\u202e"])
def test_hostile_names_of_fields_are_only_invalid(client: TestClient, name: str) -> None:
    content = f'{{"{name}": NaN, "username": "{name}"}}'.encode()
    headers = {"content-type": "application/json"}
    check_problem(client.post(REGISTER, content=content, headers=headers), 422)


def test_an_answer_is_not_larger_than_what_asked_for_it(client: TestClient) -> None:
    many = {f"{'long' * 100}{number}": 1 for number in range(2000)}
    answer = client.post(REGISTER, json=many)
    assert len(check_problem(answer, 422)["errors"]) == 100
    assert len(answer.content) < 25_000


def test_messages_are_for_people(client: TestClient) -> None:
    data = {"username": "ana", "email": "x", "password": "short", "full_name": "\u200b", "x": 1}
    errors = check_problem(client.post(REGISTER, json=data), 422)["errors"]
    messages = {error["loc"][-1]: error["msg"] for error in errors}
    assert messages["password"] == "has 8 to 128 characters"
    assert messages["full_name"] == "needs a visible character, and has no control characters"
    assert messages["x"] == "Extra inputs are not permitted"
    assert all("Value error" not in message for message in messages.values())


def test_a_bug_tells_what_it_is_when_debug_is_on() -> None:
    app, router = create_app(settings(debug=True)), APIRouter()

    @router.get("/bug")
    def bug() -> None:
        raise RuntimeError("no \udcff such thing")

    app.include_router(router)
    body = check_problem(TestClient(app).get("/bug"), 500)
    assert body["detail"] == "RuntimeError: no ? such thing"


def test_a_bug_is_a_500_that_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    app, router = create_app(), APIRouter()

    @router.get("/bug")
    def bug() -> None:
        raise RuntimeError("secret detail")

    app.include_router(router)
    response = TestClient(app).get("/bug")
    body = check_problem(response, 500)
    assert "secret" not in response.text
    assert body["detail"] == "Something went wrong here."
    assert "secret detail" in capsys.readouterr().err
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_bug_after_the_answer_began_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    app, router = create_app(), APIRouter()

    @router.get("/stream")
    def stream() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise RuntimeError("half way")

    app.include_router(router)
    with pytest.raises(RuntimeError, match="half way"):
        TestClient(app).get("/stream")
    assert "half way" in capsys.readouterr().err


# --- Paths, bodies, headers ------------------------------------------------------------------


def test_a_slash_at_the_end_means_the_same(client: TestClient, auth_headers: Headers) -> None:
    assert client.get("/users/me/", headers=auth_headers).status_code == 200
    assert client.post("/users/register/", json={}).status_code == 422
    assert client.get("http://testserver/health/live//").status_code == 200
    assert client.get("http://testserver//").status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(client: TestClient, chunked: bool) -> None:
    content = b" " * (get_settings().max_body_bytes + 1)
    pieces = iter([content[:1000], content[1000:]])
    headers = {"content-type": "application/json"}
    response = client.post(REGISTER, content=pieces if chunked else content, headers=headers)
    check_problem(response, 413)
    assert client.post(REGISTER, json={}).status_code == 422


def test_headers_that_are_too_large(client: TestClient) -> None:
    many = {f"X-{number}": "a" * 1000 for number in range(64)}
    assert client.get("http://testserver/health/live", headers=many).status_code == 200
    check_problem(client.get("/users", headers=many | {"X-Last": "a" * 2000}), 431)


def test_headers_of_every_answer(client: TestClient, auth_headers: Headers) -> None:
    for response in (
        client.get("/users/me", headers=auth_headers),
        client.get("/users/me"),
        client.get("/nothing"),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "strict-transport-security" not in response.headers
        assert "server" not in response.headers
    assert client.get("/users/me", headers=auth_headers).headers["cache-control"] == "no-store"


def test_production_asks_for_https() -> None:
    app = create_app(settings(environment="production"))
    response = client_of(app).get("http://testserver/health/live")
    assert response.headers["strict-transport-security"].startswith("max-age=")


def test_request_ids_are_taken_or_made(client: TestClient) -> None:
    response = client.get("/users/me", headers={"X-Request-ID": "abc-123_x.y"})
    assert check_problem(response, 401)["request_id"] == "abc-123_x.y"
    for bad in ("", "a b", "x" * 65, "a\x7fb", "<script>"):
        made = client.get("/users/me", headers={"X-Request-ID": bad}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)


def test_cors_by_setting() -> None:
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "PATCH"}
    client = client_of(create_app(settings(cors_origins=["https://a.example"])))
    allowed = client.options("/users/me", headers=preflight)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    answer = client.get("/users/me", headers={"Origin": "https://a.example"})
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    refused = client.options("/users/me", headers=preflight | {"Origin": "https://b.example"})
    check_problem(refused, 400)
    assert "access-control-allow-origin" not in refused.headers
    answer = client_of(create_app()).get("/users/me", headers={"Origin": "https://a.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_an_allowed_origin_can_read_every_error() -> None:
    app = create_app(settings(cors_origins=["https://a.example"]))

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError

    client = client_of(app)
    origin = {"Origin": "https://a.example"}
    for answer, status in (
        (client.get("http://testserver/bug", headers=origin), 500),
        (client.get("/users", headers=origin | {"X": "a" * 70_000}), 431),
        (client.post(REGISTER, json="a" * 2**21, headers=origin), 413),
        (client.get("/nothing", headers=origin), 404),
    ):
        check_problem(answer, status)
        assert answer.headers["access-control-allow-origin"] == "https://a.example"


def test_trusted_hosts_by_setting() -> None:
    app = create_app(settings(allowed_hosts=["api.example", "*.api.example"]))
    client = client_of(app)
    check_problem(client.get("http://other.example/health/live"), 400)
    assert client.get("http://api.example/health/live").status_code == 200
    assert client.get("http://x.api.example/health/live").status_code == 200


# --- Logs ------------------------------------------------------------------------------------


def test_one_line_for_each_request(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="app.request"):
        client.get("/users?q=secret")
        client.get("http://testserver/health/live")
    records: list[Any] = [record for record in caplog.records if record.name == "app.request"]
    assert len(records) == 1
    record = records[0]
    assert (record.method, record.path, record.status) == ("GET", "/api/v1/users", 401)
    assert record.ms > 0


def test_production_logs_are_json() -> None:
    token = request_id.set("r1")
    try:
        record = logging.makeLogRecord({"name": "app", "msg": "said %s", "args": ("x",), "path": 1})
        line = json.loads(JsonFormatter().format(record))
    finally:
        request_id.reset(token)
    assert line["message"] == "said x"
    assert (line["request_id"], line["path"]) == ("r1", 1)
    try:
        raise ValueError("why")
    except ValueError as error:
        failed = logging.makeLogRecord({"exc_info": (type(error), error, error.__traceback__)})
    assert "ValueError: why" in json.loads(JsonFormatter().format(failed))["traceback"]
    assert "ValueError: why" in ConsoleFormatter().format(failed)


def test_an_escape_sequence_does_not_reach_the_terminal() -> None:
    record = logging.makeLogRecord({"msg": "x", "path": "/\x1b[31m\nred"})
    line = ConsoleFormatter().format(record)
    assert "\x1b" not in line
    assert "\n" not in line
    assert "\\x1b[31m" in line


# --- The OpenAPI document --------------------------------------------------------------------


def operations(app: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    paths = app.openapi()["paths"]
    return [(path, method, paths[path][method]) for path in paths for method in paths[path]]


def test_every_operation_is_documented(app: FastAPI) -> None:
    for path, method, operation in operations(app):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        assert re.fullmatch("[a-z_]+", operation["operationId"]), where
        errors = {code for code in operation["responses"] if code >= "400"}
        for code in errors:
            content = operation["responses"][code]["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, where
            assert content["example"]["status"] == int(code), where
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= errors, where
        if security := operation.get("security"):
            open_to_all = {} in security
            assert ({"401"} if open_to_all else {"401", "403"}) <= errors, where
        if "{" in path:
            assert "404" in errors, where


def test_operation_ids_are_the_names_of_functions(app: FastAPI) -> None:
    names = [operation["operationId"] for _, _, operation in operations(app)]
    assert len(names) == len(set(names))
    assert {"register_user", "list_users", "login", "get_readiness"} <= set(names)


def test_every_answer_has_examples(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    assert schemas["UserRead"]["properties"]["username"]["examples"] == ["ana_souza"]
    for name in ("UserRead", "TokenPair", "SessionRead", "Check", "Health"):
        for field, schema in schemas[name]["properties"].items():
            text = schema.get("type") == "string" and "format" not in schema
            assert not text or {"examples", "const"} & schema.keys(), (name, field)


def test_passwords_are_written_only(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    assert schemas["UserRegister"]["properties"]["password"]["writeOnly"] is True
    assert not any("password" in name for name in schemas["UserRead"]["properties"])


def test_a_handler_sees_the_app_and_not_the_request_of_another(client: TestClient) -> None:
    router = APIRouter()

    @router.get("/echo")
    def echo(request: Request) -> dict[str, str]:
        return {"id": request_id.get(), "path": request.url.path}

    app = create_app()
    app.include_router(router)
    answer = TestClient(app).get("/echo", headers={"X-Request-ID": "mine"}).json()
    assert answer == {"id": "mine", "path": "/echo"}
