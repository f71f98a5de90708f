"""Accounts: one's own, and all of them for administrators."""

import json
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.database import Database
from app.models.token import Token
from app.models.user import Role, User
from tests.factories import PASSWORD, make_user, sign_in
from tests.support import at_once, stored, writing

Headers = dict[str, str]

ACCESS = [
    ("POST", "/users/register", "anyone"),
    ("GET", "/users/me", "user"),
    ("PATCH", "/users/me", "user"),
    ("DELETE", "/users/me", "user"),
    ("POST", "/users/me/password", "user"),
    ("POST", "/users/me/email", "user"),
    ("GET", "/users", "admin"),
    ("POST", "/users", "admin"),
    ("GET", "/users/stats", "admin"),
    ("POST", "/users/bulk-status", "admin"),
    ("GET", "/users/{user_id}", "admin"),
    ("PUT", "/users/{user_id}", "admin"),
    ("PATCH", "/users/{user_id}", "admin"),
    ("DELETE", "/users/{user_id}", "admin"),
    ("POST", "/users/{user_id}/activate", "admin"),
    ("POST", "/users/{user_id}/deactivate", "admin"),
    ("POST", "/users/{user_id}/restore", "admin"),
    ("POST", "/users/{user_id}/verify-email", "admin"),
]


def new_user(**values: Any) -> dict[str, Any]:
    return {"username": "ana_souza", "email": "ana@example.com", "password": PASSWORD} | values


# --- Registration ----------------------------------------------------------------------------


def test_register(client: TestClient) -> None:
    response = client.post("/users/register", json=new_user(full_name="  Ana Souza "))
    assert response.status_code == 201
    user = response.json()
    assert user["username"] == "ana_souza"
    assert user["full_name"] == "Ana Souza"
    assert user["role"] == "user"
    assert user["is_active"] is True
    assert user["settings"] == {"theme": "system", "language": "en"}
    assert "password" not in response.text
    assert response.headers["etag"] == '"1"'
    assert stored(User)[0].hashed_password.startswith("$argon2id$")


@pytest.mark.parametrize(
    "values",
    [
        {"role": "admin"},
        {"is_active": False},
        {"email_verified_at": "2026-01-01T00:00:00Z"},
        {"id": 7},
        {"hashed_password": "x"},
    ],
)
def test_register_takes_no_rights(client: TestClient, values: dict[str, Any]) -> None:
    response = client.post("/users/register", json=new_user(**values))
    assert response.status_code == 422
    assert response.json()["errors"][0]["type"] == "extra_forbidden"
    assert stored(User) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "a" * 51),
        ("username", "ána"),
        ("username", "ana souza"),
        ("username", "ana@souza"),
        ("username", "ana\n"),
        ("username", None),
        ("username", 7),
        ("email", "ana"),
        ("email", "ana@example"),
        ("email", "ana@localhost"),
        ("email", "a" * 250 + "@example.com"),
        ("email", "ana souza@example.com"),
        ("email", "ána@example.com"),
        ("password", "short"),
        ("password", "a" * 129),
        ("password", "half \ud800 of one"),
        ("password", "password1"),
        ("password", "PASSWORD1"),
        ("password", "demo-demo"),  # of the accounts that `seed` makes
        ("password", "\uff44emo-demo"),
        ("password", "\ufdfa"),  # one character, of which Unicode makes eighteen
        ("password", "e\u0301" * 4),  # eight, of which it makes four
        ("password", "ana_souza"),
        ("password", "ana@example.com"),
        ("password", None),
        ("full_name", ""),
        ("full_name", "   "),
        ("full_name", "\u200b\u200d"),
        ("full_name", "Ana\x00"),
        ("full_name", "Ana\u202eSouza"),
        ("full_name", "a" * 256),
        ("bio", "a" * 2001),
        ("avatar_url", "javascript:alert(1)"),
        ("avatar_url", "https://example.com/" + "a" * 500),
        ("email", "Ana <ana@example.com>"),
        ("settings", {"Theme": "dark"}),
        ("settings", {"n": 2**53}),
        ("settings", {"theme": {"nested": True}}),
        ("settings", {f"k{n}": n for n in range(51)}),
        ("settings", None),
    ],
)
def test_register_refuses(client: TestClient, field: str, value: Any) -> None:
    content = json.dumps(new_user(**{field: value}))  # half a character only travels escaped
    headers = {"Content-Type": "application/json"}
    response = client.post("/users/register", content=content, headers=headers)
    assert response.status_code == 422, response.text
    errors = response.json()["errors"]
    assert {error["loc"][1] for error in errors} == {field}
    assert all("input" not in error and "ctx" not in error for error in errors)
    assert stored(User) == []


def test_a_refused_password_is_not_echoed(client: TestClient) -> None:
    response = client.post("/users/register", json=new_user(password="pw-Secr"))
    assert response.status_code == 422
    assert "pw-Secr" not in response.text


@pytest.mark.parametrize(
    "values",
    [
        {"email": "other@example.com"},
        {"email": "other@example.com", "username": "ANA_Souza"},
        {"username": "other"},
        {"username": "other", "email": "ANA@Example.COM"},
    ],
)
def test_username_and_email_are_taken_without_regard_to_case(
    client: TestClient, values: dict[str, str]
) -> None:
    assert client.post("/users/register", json=new_user()).status_code == 201
    response = client.post("/users/register", json=new_user(**values))
    assert response.status_code == 409
    taken = "email" if "username" in values and values["username"] == "other" else "username"
    assert response.json()["detail"] == f"This {taken} is already taken."


def test_of_ten_registrations_at_once_one_wins(client: TestClient, threaded: Database) -> None:
    def register(number: int) -> int:
        values = new_user(username=f"ana{number}", email="Ana@Example.com")
        return client.post("/users/register", json=values).status_code

    assert sorted(at_once(10, register)) == [201] + [409] * 9
    assert len(stored(User)) == 1


# --- The own account -------------------------------------------------------------------------


def test_profile(client: TestClient, user: User, auth_headers: Headers) -> None:
    response = client.get("/users/me", headers=auth_headers)
    assert response.status_code == 200
    assert response.json()["id"] == user.id
    assert response.headers["cache-control"] == "no-store"


def test_update_profile_changes_what_was_sent(client: TestClient, auth_headers: Headers) -> None:
    before = client.get("/users/me", headers=auth_headers).json()
    changes = {"display_name": "Aná", "bio": "Line 1\nLine 2", "settings": {"theme": "dark"}}
    response = client.patch("/users/me", json=changes, headers=auth_headers)
    assert response.status_code == 200
    after = response.json()
    assert after["updated_at"] > before["updated_at"]
    assert after == before | changes | {"updated_at": after["updated_at"]}
    assert response.headers["etag"] == '"2"'
    cleared = client.patch("/users/me", json={"bio": None}, headers=auth_headers)
    assert cleared.json()["bio"] is None


@pytest.mark.parametrize(
    "changes",
    [
        *({}, {"username": None}, {"settings": None}, {"role": "admin"}, {"is_active": True}),
        {"email": "x@example.com"},
    ],
)
def test_update_profile_refuses(
    client: TestClient, auth_headers: Headers, changes: dict[str, Any]
) -> None:
    response = client.patch("/users/me", json=changes, headers=auth_headers)
    assert response.status_code == 422


def test_a_new_email_has_to_be_confirmed_again(client: TestClient) -> None:
    user = make_user(email_verified_at=datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    headers = sign_in(user)
    data = {"current_password": PASSWORD, "email": user.email.upper()}
    same = client.post("/users/me/email", json=data, headers=headers)
    assert same.status_code == 200
    assert same.json()["email_verified_at"] is not None
    other = client.post("/users/me/email", json=data | {"email": "a@b.example"}, headers=headers)
    assert other.json()["email"] == "a@b.example"
    assert other.json()["email_verified_at"] is None


def test_a_new_email_needs_the_current_password(
    client: TestClient, user: User, auth_headers: Headers
) -> None:
    """Who has stolen a session could otherwise have the password reset to an address of theirs."""
    data = {"current_password": "not the one", "email": "thief@example.com"}
    for refused, status in ((data, 400), ({"email": "thief@example.com"}, 422)):
        response = client.post("/users/me/email", json=refused, headers=auth_headers)
        assert response.status_code == status
    assert stored(User)[0].email == user.email


def test_a_taken_email_is_a_conflict(client: TestClient, auth_headers: Headers) -> None:
    data = {"current_password": PASSWORD, "email": make_user().email.upper()}
    response = client.post("/users/me/email", json=data, headers=auth_headers)
    assert response.status_code == 409
    assert response.json()["detail"] == "This email is already taken."


def test_a_taken_name_is_a_conflict(client: TestClient, auth_headers: Headers) -> None:
    other = make_user(username="Taken")
    response = client.patch("/users/me", json={"username": "tAKEN"}, headers=auth_headers)
    assert response.status_code == 409
    assert other.username in [user.username for user in stored(User)]


def test_a_deleted_account_is_gone_and_its_names_are_free(
    client: TestClient, admin_headers: Headers
) -> None:
    first = client.post("/users/register", json=new_user()).json()
    headers = sign_in(stored(User, User.id == first["id"])[0])
    assert client.delete("/users/me", headers=headers).status_code == 204
    assert client.get("/users/me", headers=headers).status_code == 401
    assert client.get(f"/users/{first['id']}", headers=admin_headers).status_code == 404
    again = client.post("/users/register", json=new_user())
    assert again.status_code == 201
    restored = client.post(f"/users/{first['id']}/restore", headers=admin_headers)
    assert restored.status_code == 409
    assert client.delete(f"/users/{again.json()['id']}", headers=admin_headers).status_code == 204
    restored = client.post(f"/users/{first['id']}/restore", headers=admin_headers)
    assert restored.status_code == 200
    assert restored.json()["username"] == "ana_souza"
    assert client.get(f"/users/{first['id']}", headers=admin_headers).status_code == 200


# --- Passwords -------------------------------------------------------------------------------


def test_change_password_ends_all_sessions(client: TestClient, user: User) -> None:
    here, elsewhere = sign_in(user), sign_in(user)
    data = {"current_password": PASSWORD, "new_password": "a wholly new one"}
    response = client.post("/users/me/password", json=data, headers=here)
    assert response.status_code == 204
    assert client.get("/users/me", headers=here).status_code == 401
    assert client.get("/users/me", headers=elsewhere).status_code == 401
    old = {"username": user.username, "password": PASSWORD}
    assert client.post("/auth/login", data=old).status_code == 401
    new = {"username": user.username, "password": "a wholly new one"}
    assert client.post("/auth/login", data=new).status_code == 200


def test_change_password_needs_the_current_one(client: TestClient, auth_headers: Headers) -> None:
    data = {"current_password": "not the one", "new_password": "a wholly new one"}
    response = client.post("/users/me/password", json=data, headers=auth_headers)
    assert response.status_code == 400
    assert client.get("/users/me", headers=auth_headers).status_code == 200


@pytest.mark.parametrize("new", ["short", "password1", "{username}"])
def test_change_password_refuses_a_weak_one(
    client: TestClient, user: User, auth_headers: Headers, new: str
) -> None:
    new = new.format(username=user.username + "@example.com")
    data = {"current_password": PASSWORD, "new_password": new}
    response = client.post("/users/me/password", json=data, headers=auth_headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "new_password"]


def test_of_two_password_changes_at_once_one_wins(
    client: TestClient, user: User, threaded: Database
) -> None:
    user = make_user()
    headers = sign_in(user)

    def change(number: int) -> int:
        data = {"current_password": PASSWORD, "new_password": f"a wholly new one {number}"}
        return client.post("/users/me/password", json=data, headers=headers).status_code

    # Late ones find their session ended (401), the others their password replaced (400, 409).
    statuses = at_once(4, change)
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 400, 401, 409}


# --- Administration --------------------------------------------------------------------------


def test_list_users_newest_first(client: TestClient, admin_headers: Headers) -> None:
    made = [make_user().id for _ in range(3)]
    page = client.get("/users", headers=admin_headers).json()
    assert [item["id"] for item in page["items"]][:3] == made[::-1]
    assert page["total"] == 4
    assert (page["skip"], page["limit"], page["next_cursor"]) == (0, 20, None)
    assert "hashed_password" not in page["items"][0]


def test_list_users_filtered(client: TestClient, admin: User, admin_headers: Headers) -> None:
    moderator = make_user(role=Role.MODERATOR, is_active=False)
    make_user()

    def ids(**params: Any) -> list[int]:
        page = client.get("/users", params=params, headers=admin_headers).json()
        return [item["id"] for item in page["items"]]

    assert ids(role="moderator") == [moderator.id]
    assert ids(is_active="false") == [moderator.id]
    assert ids(role="admin", is_active="true") == [admin.id]
    assert ids(role="moderator", is_active="true") == []


@pytest.mark.parametrize("q", ["árvore", "ARVORE", "Árvore", "lima@", "LIMA@example", "jabuticab"])
def test_list_users_searched(client: TestClient, admin_headers: Headers, q: str) -> None:
    found = make_user(
        username="lima", email="Lima@example.com", full_name="ÁRVORE", display_name="Jabuticaba"
    )
    make_user(full_name="100% pure_gold")
    page = client.get("/users", params={"q": q}, headers=admin_headers).json()
    assert [item["id"] for item in page["items"]] == [found.id]


@pytest.mark.parametrize(
    ("q", "number"), [("%", 1), ("_", 1), ("\\", 0), ("100%", 1), ("0_", 0), ("\u0301", 0)]
)
def test_search_is_literal(client: TestClient, admin_headers: Headers, q: str, number: int) -> None:
    make_user(full_name="100% pure_gold")
    page = client.get("/users", params={"q": q}, headers=admin_headers).json()
    assert page["total"] == number


def test_a_list_costs_the_same_for_many_rows(
    client: TestClient, admin_headers: Headers, count_statements: Any
) -> None:
    costs = []
    for number in (1, 50):
        for _ in range(number):
            make_user()
        with count_statements() as statements:
            response = client.get("/users?limit=1", headers=admin_headers)
        assert response.status_code == 200
        costs.append(len(statements))
    assert costs == [3, 3]  # who asks, the page, the total


@pytest.mark.parametrize(
    "query",
    [
        *("skip=-1", "limit=0", "limit=101", "limit=1.0", "limit=1_0", "skip=99999999999"),
        *("sort=password", "sort=hashed_password", "sort=", "sort=username;drop", "role=boss"),
        *("page=2", "cursor=x", "cursor=", "skip=0&cursor=x", "q=", "q=%00", "is_active=maybe"),
    ],
)
def test_list_users_refuses(client: TestClient, admin_headers: Headers, query: str) -> None:
    response = client.get(f"/users?{query}", headers=admin_headers)
    assert response.status_code == 422, response.text


def test_create_user(client: TestClient, admin_headers: Headers) -> None:
    values = new_user(role="moderator", is_active=False)
    response = client.post("/users", json=values, headers=admin_headers)
    assert response.status_code == 201
    assert (response.json()["role"], response.json()["is_active"]) == ("moderator", False)
    assert client.post("/users", json=values, headers=admin_headers).status_code == 409


def test_get_user(client: TestClient, user: User, admin_headers: Headers) -> None:
    response = client.get(f"/users/{user.id}", headers=admin_headers)
    assert response.json()["username"] == user.username
    assert response.headers["etag"] == '"1"'


@pytest.mark.parametrize("path", ["999999", "999999/activate", "999999/restore"])
def test_a_missing_user_is_not_found(client: TestClient, admin_headers: Headers, path: str) -> None:
    method = "POST" if "/" in path else "GET"
    response = client.request(method, f"/users/{path}", headers=admin_headers)
    assert response.status_code == 404
    assert response.json()["detail"] == "User not found."


@pytest.mark.parametrize("user_id", ["0", "-1", "2147483648", "1.0", "1_0", "abc", "9" * 5000])
def test_an_id_out_of_range_is_invalid(
    client: TestClient, admin_headers: Headers, user_id: str
) -> None:
    assert client.get(f"/users/{user_id}", headers=admin_headers).status_code == 422


def test_replace_user_resets_what_is_left_out(client: TestClient, admin_headers: Headers) -> None:
    user = make_user(bio="Old", settings={"theme": "dark"})
    values = {"username": "new", "email": "new@example.com", "role": "user", "is_active": True}
    response = client.put(f"/users/{user.id}", json=values, headers=admin_headers)
    assert response.status_code == 200
    replaced = response.json()
    assert replaced["bio"] is None
    assert replaced["settings"] == {"theme": "system", "language": "en"}
    del values["role"]
    response = client.put(f"/users/{user.id}", json=values, headers=admin_headers)
    assert response.status_code == 422


def test_update_user(client: TestClient, user: User, admin_headers: Headers) -> None:
    path = f"/users/{user.id}"
    response = client.patch(path, json={"role": "moderator"}, headers=admin_headers)
    assert response.status_code == 200
    assert response.json()["role"] == "moderator"
    assert client.patch(path, json={"role": None}, headers=admin_headers).status_code == 422


def test_delete_user(client: TestClient, user: User, admin_headers: Headers) -> None:
    headers = sign_in(user)
    assert client.delete(f"/users/{user.id}", headers=admin_headers).status_code == 204
    assert client.delete(f"/users/{user.id}", headers=admin_headers).status_code == 404
    assert client.get("/users/me", headers=headers).status_code == 401
    kept = stored(User, User.id == user.id)[0]
    assert kept.is_deleted
    assert (kept.username_key, kept.email_key) == (None, None)


def test_hard_delete_erases(client: TestClient, user: User, admin_headers: Headers) -> None:
    sign_in(user)
    path = f"/users/{user.id}"
    assert client.delete(path, headers=admin_headers).status_code == 204
    assert client.delete(f"{path}?hard=true", headers=admin_headers).status_code == 204
    assert stored(User, User.id == user.id) == []
    assert stored(Token, Token.user_id == user.id) == []
    assert client.delete(f"{path}?hard=true", headers=admin_headers).status_code == 404


def test_deactivation_ends_sessions_for_good(
    client: TestClient, user: User, auth_headers: Headers, admin_headers: Headers
) -> None:
    response = client.post(f"/users/{user.id}/deactivate", headers=admin_headers)
    assert response.json()["is_active"] is False
    assert client.get("/users/me", headers=auth_headers).status_code == 401
    login = {"username": user.username, "password": PASSWORD}
    assert client.post("/auth/login", data=login).status_code == 401
    response = client.post(f"/users/{user.id}/activate", headers=admin_headers)
    assert response.json()["is_active"] is True
    assert client.get("/users/me", headers=auth_headers).status_code == 401
    assert client.post("/auth/login", data=login).status_code == 200


@pytest.mark.parametrize("changes", [{"is_active": False}, {"role": "user"}])
def test_administrators_keep_their_own_rights(
    client: TestClient, admin: User, admin_headers: Headers, changes: dict[str, Any]
) -> None:
    path = f"/users/{admin.id}"
    assert client.patch(path, json=changes, headers=admin_headers).status_code == 409
    assert client.delete(path, headers=admin_headers).status_code == 409
    assert client.post(f"{path}/deactivate", headers=admin_headers).status_code == 409
    bulk = {"ids": [admin.id], "is_active": False}
    assert client.post("/users/bulk-status", json=bulk, headers=admin_headers).status_code == 409
    same = client.patch(path, json={"role": "admin", "bio": "x"}, headers=admin_headers)
    assert same.status_code == 200


@pytest.mark.parametrize("way", ["role", "deactivate", "delete", "bulk"])
def test_of_two_administrators_who_remove_each_other_at_once_one_is_left(
    client: TestClient, threaded: Database, way: str
) -> None:
    for _ in range(4):
        pair = [make_user(role=Role.ADMIN) for _ in range(2)]
        headers = [sign_in(admin) for admin in pair]

        def remove(n: int, pair: list[User] = pair, headers: list[Headers] = headers) -> int:
            other = pair[1 - n].id
            path = f"/users/{other}"
            calls: dict[str, tuple[str, str, dict[str, Any] | None]] = {
                "role": ("PATCH", path, {"role": "user"}),
                "deactivate": ("POST", f"{path}/deactivate", None),
                "delete": ("DELETE", path, None),
                "bulk": ("POST", "/users/bulk-status", {"ids": [other], "is_active": False}),
            }
            method, where, body = calls[way]
            return client.request(method, where, json=body, headers=headers[n]).status_code

        first, second = sorted(at_once(2, remove))
        assert first in (200, 204)
        assert second in (401, 403)


def test_verify_email(client: TestClient, user: User, admin_headers: Headers) -> None:
    response = client.post(f"/users/{user.id}/verify-email", headers=admin_headers)
    moment = response.json()["email_verified_at"]
    assert moment is not None
    again = client.post(f"/users/{user.id}/verify-email", headers=admin_headers)
    assert again.json()["email_verified_at"] == moment
    assert client.post("/users/0/verify-email", headers=admin_headers).status_code == 422
    assert client.post("/users/999999/verify-email", headers=admin_headers).status_code == 404


def test_an_administrator_does_not_delete_the_own_account(
    client: TestClient, admin_headers: Headers
) -> None:
    assert client.delete("/users/me", headers=admin_headers).status_code == 409


def test_settings_come_back_as_they_were_sent(client: TestClient, auth_headers: Headers) -> None:
    settings = {"a": "000", "b": 7, "c": 0.5, "d": True, "e": None, "f": "1e3"}
    response = client.patch("/users/me", json={"settings": settings}, headers=auth_headers)
    assert response.json()["settings"] == settings


def test_bulk_status_tells_how_many_changed(client: TestClient, admin_headers: Headers) -> None:
    users = [make_user(), make_user(), make_user(is_active=False)]
    headers = sign_in(users[0])
    ids = [user.id for user in users]
    data = {"ids": [*ids, 999_999], "is_active": False}
    response = client.post("/users/bulk-status", json=data, headers=admin_headers)
    assert response.json() == {"changed": 2}
    assert client.get("/users/me", headers=headers).status_code == 401
    assert client.get(f"/users/{ids[0]}", headers=admin_headers).headers["etag"] == '"2"'
    assert client.get(f"/users/{ids[2]}", headers=admin_headers).headers["etag"] == '"1"'


@pytest.mark.parametrize(
    "data",
    [
        {"ids": [], "is_active": True},
        {"ids": [1] * 1001, "is_active": True},
        {"ids": [True], "is_active": True},
        {"ids": ["1"], "is_active": True},
        {"ids": [2**31], "is_active": True},
        {"ids": [1], "is_active": "yes"},
        {"ids": [1]},
    ],
)
def test_bulk_status_refuses(
    client: TestClient, admin_headers: Headers, data: dict[str, Any]
) -> None:
    response = client.post("/users/bulk-status", json=data, headers=admin_headers)
    assert response.status_code == 422


def test_stats(client: TestClient, admin_headers: Headers) -> None:
    make_user(role=Role.MODERATOR, is_active=False)
    make_user(deleted_at=datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    stats = client.get("/users/stats", headers=admin_headers).json()
    assert stats == {
        "total": 2,
        "active": 1,
        "by_role": {"admin": 1, "moderator": 1, "user": 0},
    }


# --- Versions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1"', 200),
        ('"7", "1"', 200),
        ("*", 200),
        ('"2"', 412),
        ("1", 400),
        ('W/"1"', 400),
        ('"x"', 400),
        ('"1" "2"', 400),
    ],
)
def test_if_match(
    client: TestClient, user: User, admin_headers: Headers, if_match: str, status: int
) -> None:
    headers = admin_headers | {"If-Match": if_match}
    response = client.patch(f"/users/{user.id}", json={"bio": "New"}, headers=headers)
    assert response.status_code == status
    assert (stored(User, User.id == user.id)[0].bio == "New") == (status == 200)


def test_of_a_wrong_setting_one_fault_is_told(client: TestClient, auth_headers: Headers) -> None:
    data = {"settings": {"theme": []}}
    errors = client.patch("/users/me", json=data, headers=auth_headers).json()["errors"]
    assert [each["loc"] for each in errors] == [["body", "settings", "theme"]]


def test_several_if_match_are_one_list(
    client: TestClient, user: User, admin_headers: Headers
) -> None:
    for versions, status in ((('"7"', '"1"'), 200), (('"2"', "x"), 400), (('"7"', '"8"'), 412)):
        headers = [*admin_headers.items(), *(("If-Match", each) for each in versions)]
        response = client.patch(f"/users/{user.id}", json={"bio": "New"}, headers=headers)
        assert response.status_code == status


def test_a_stale_delete_is_refused(client: TestClient, user: User, admin_headers: Headers) -> None:
    headers = sign_in(user) | {"If-Match": '"9"'}
    assert client.delete("/users/me", headers=headers).status_code == 412
    headers = admin_headers | {"If-Match": '"9"'}
    assert client.delete(f"/users/{user.id}", headers=headers).status_code == 412
    assert client.put(f"/users/{user.id}", json={}, headers=headers).status_code == 422


def test_of_ten_replacements_of_one_version_one_wins(
    client: TestClient, threaded: Database
) -> None:
    user, admin = make_user(), make_user(role=Role.ADMIN)
    headers = sign_in(admin) | {"If-Match": '"1"'}

    def replace(number: int) -> int:
        values = {"username": f"n{number}x", "email": f"n{number}@example.com"}
        values |= {"role": "user", "is_active": True}
        return client.put(f"/users/{user.id}", json=values, headers=headers).status_code

    assert sorted(at_once(10, replace)) == [200] + [412] * 9
    assert stored(User, User.id == user.id)[0].version == 2


def test_changes_at_once_without_a_version_are_all_applied(
    client: TestClient, threaded: Database
) -> None:
    user, headers = make_user(), sign_in(make_user(role=Role.ADMIN))
    fields = ["bio", "full_name", "display_name"]

    def change(number: int) -> int:
        values = {fields[number]: "New"}
        return client.patch(f"/users/{user.id}", json=values, headers=headers).status_code

    assert at_once(3, change) == [200] * 3
    after = stored(User, User.id == user.id)[0]
    assert [getattr(after, field) for field in fields] == ["New"] * 3
    assert after.version == 4


# --- The database itself ---------------------------------------------------------------------


def test_the_database_refuses_a_short_name_and_an_unknown_role() -> None:
    user = make_user()
    for broken in ("username = 'ab'", "role = 'boss'"):
        with writing() as db, pytest.raises(DBAPIError):
            db.execute(text(f"UPDATE users SET {broken} WHERE id = {user.id}"))


def test_deleting_the_row_takes_its_tokens_along(user: User, auth_headers: Headers) -> None:
    assert len(stored(Token)) == 1
    with writing() as db:
        db.execute(text("DELETE FROM users"))
        db.commit()
    assert stored(Token) == []
