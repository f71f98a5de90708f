"""Lost updates: of those who change the same version of a row at once, one does."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.core.config import get_settings
from app.core.database import Database
from app.main import create_app
from app.models.user import User
from tests.factories import PASSWORD, make_user
from tests.support import at_once, stored

Headers = dict[str, str]

ANA = {"username": "ana", "email": "ana@example.com"}
WHOLE = ANA | {"role": "user", "is_active": True}
BODIES: dict[str, Any] = {"PUT": WHOLE, "PATCH": {"bio": "Hello"}, "DELETE": None}


@pytest.fixture
def path() -> str:
    """Of a user whom others change."""
    return f"/users/{make_user(**ANA).id}"


def ana() -> User:
    (user,) = stored(User, User.username == "ana")
    return user


def test_of_ten_that_replace_one_version_at_once_one_does(
    client: TestClient, path: str, admin_headers: Headers, threaded: Database
) -> None:
    headers = admin_headers | {"If-Match": client.get(path, headers=admin_headers).headers["etag"]}

    def replace(number: int) -> Any:
        return client.put(path, json=WHOLE | {"bio": str(number)}, headers=headers)

    answers = at_once(10, replace)
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    (done,) = [answer for answer in answers if answer.is_success]
    assert (ana().bio, ana().version) == (done.json()["bio"], 2)


@pytest.mark.parametrize("hard", [False, True])
def test_of_ten_that_delete_one_version_at_once_one_does(
    client: TestClient, path: str, admin_headers: Headers, threaded: Database, hard: bool
) -> None:
    headers = admin_headers | {"If-Match": '"1"'}

    def delete(_: int) -> int:
        return client.delete(path, params={"hard": hard}, headers=headers).status_code

    assert sorted(at_once(10, delete)) == [204] + [404] * 9
    assert stored(User, User.username == "ana", User.deleted_at.is_(None)) == []


def test_without_a_version_they_change_it_one_after_the_other(
    client: TestClient, path: str, admin_headers: Headers, threaded: Database
) -> None:
    """Each PATCH begins again on what the one before it left, and keeps it, or says 409."""
    changes = [{"bio": "Hello"}, {"full_name": "Ana"}, {"role": "admin"}, {"is_active": False}]

    def change(number: int) -> int:
        return client.patch(path, json=changes[number], headers=admin_headers).status_code

    answers = at_once(4, change)
    user = client.get(path, headers=admin_headers).json()
    assert set(answers) <= {200, 409}
    assert ana().version == 1 + answers.count(200)
    for answer, change_ in zip(answers, changes, strict=True):
        assert (user.items() >= change_.items()) == (answer == 200)


# --- REQUIRE_IF_MATCH ------------------------------------------------------------------------


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(get_settings(), "require_if_match", True)
    return TestClient(create_app(), base_url="http://testserver/api/v1")


@pytest.mark.parametrize("method", BODIES)
def test_a_change_without_a_version_is_428(
    strict: TestClient, path: str, admin_headers: Headers, method: str
) -> None:
    refused = strict.request(method, path, json=BODIES[method], headers=admin_headers)
    assert refused.status_code == 428
    assert refused.json()["title"] == "Precondition Required"
    assert ana().version == 1
    headers = admin_headers | {"If-Match": strict.get(path, headers=admin_headers).headers["etag"]}
    assert strict.request(method, path, json=BODIES[method], headers=headers).is_success


def test_whoever_means_any_version_says_so(
    strict: TestClient, path: str, admin_headers: Headers
) -> None:
    assert strict.delete(path, headers=admin_headers | {"If-Match": "*"}).status_code == 204


def test_who_is_not_signed_in_is_told_that_first(strict: TestClient, path: str) -> None:
    assert strict.delete(path).status_code == 401


def test_what_has_no_version_needs_none(
    strict: TestClient, path: str, admin_headers: Headers
) -> None:
    assert strict.post(f"{path}/verify-email", headers=admin_headers).status_code == 200
    body = {"username": "bea", "email": "bea@example.com", "password": PASSWORD}
    assert strict.post("/users", json=body, headers=admin_headers).is_success


@pytest.mark.parametrize("required", [True, False])
def test_the_document_says_whether_it_is_required(
    monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    monkeypatch.setattr(get_settings(), "require_if_match", required)
    paths = create_app().openapi()["paths"]
    operations = [(method, each) for path in paths.values() for method, each in path.items()]
    found = 0
    for method, operation in operations:
        parameters = {each["name"].lower(): each for each in operation.get("parameters", [])}
        takes_it = "if-match" in parameters
        found += takes_it
        assert ("428" in operation["responses"]) == (takes_it and required)
        assert not takes_it or parameters["if-match"]["required"] == required
        assert not takes_it or method in ("put", "patch", "delete")
    assert found
