"""A row once stored never breaks a later read: the strangest that is valid, and what is not.

On accounts; features try their own rows in their own tests.
"""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.models.user import Role, User
from tests.factories import make_user, sign_in
from tests.hostile import STRANGE, UNRULY, read_all
from tests.test_users import new_user

pytestmark = pytest.mark.thorough

NUMBERS = {"a": 2**31 - 1, "b": -(2**31) + 1, "c": 1.7e308, "d": 5e-324, "e": -0.0, "f": 0.1}


def test_strange_and_valid(client: TestClient, app: FastAPI) -> None:
    """Sent by HTTP, so that it is what the rules let through."""
    headers = sign_in(make_user(role=Role.ADMIN))
    ids = []
    for number, text in enumerate(STRANGE):
        names = {"username": f"user_{number}", "email": f"{number}@example.com"}
        strange = {"full_name": text, "bio": text, "settings": NUMBERS | {"g": text}}
        made = client.post("/users", json=new_user(**names, **strange), headers=headers)
        assert made.status_code == 201, f"{text!a}: {made.text}"
        assert made.json() | strange == made.json()
        ids.append(made.json()["id"])
    read_all(client, app, "users", {"user_id": ids[::4]}, headers)
    # To sort the marks on one letter takes the square of their number; not to be noticed here.
    changes = {"bio": "a" + "\u0301\u0316" * 999}
    assert client.patch("/users/me", json=changes, headers=headers).status_code == 200


def test_what_no_rule_lets_through(client: TestClient, app: FastAPI) -> None:
    """Rows of an older version, or of a hand in the database."""
    admin = make_user(role=Role.ADMIN)
    users = [
        make_user(username=UNRULY, email=f"{UNRULY}@", full_name="", display_name=UNRULY, bio=""),
        make_user(username="   ", email="", avatar_url="javascript:alert(1)", settings={"Ä": [{}]}),
        make_user(settings={"deep": {"a": [None, {"b": 2**40}]}}, hashed_password=""),
    ]
    read_all(client, app, "users", {"user_id": [user.id for user in users]}, sign_in(admin))


@pytest.mark.parametrize("agent", ["", "\x00\x1b[31m", "é" * 500, "<script>", "a" * 5000, "\u202e"])
def test_a_session_of_a_strange_client_is_listed(client: TestClient, agent: str) -> None:
    user: User = make_user()
    data = {"username": user.username, "password": "correct horse battery"}
    named = [(b"user-agent", agent.encode())]
    tokens = client.post("/auth/login", data=data, headers=named).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    (session,) = client.get("/auth/sessions", headers=headers).json()["items"]
    assert session["user_agent"] is None or session["user_agent"].isprintable()
