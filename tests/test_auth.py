"""Signing in and out, sessions, and what tokens can and cannot do."""

import base64
import json
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jose import jwt
from passlib.hash import bcrypt

from app.core import security
from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.database import Database
from app.core.threads import HASHING
from app.models.token import Token, TokenKind
from app.models.user import Role, User
from app.services import old_hashes
from tests.factories import PASSWORD, add, make_user, sign_in
from tests.support import at_once, stored

Headers = dict[str, str]

ACCESS = [
    ("POST", "/auth/login", "anyone"),
    ("POST", "/auth/refresh", "anyone"),
    ("POST", "/auth/logout", "user"),
    ("GET", "/auth/sessions", "user"),
    ("DELETE", "/auth/sessions/{session_id}", "user"),
]


def login(client: TestClient, user: User, password: str = PASSWORD) -> dict[str, Any]:
    data = {"username": user.username, "password": password}
    response = client.post("/auth/login", data=data)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


def bearer(tokens: dict[str, Any]) -> Headers:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def refresh(client: TestClient, tokens: dict[str, Any]) -> Any:
    return client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})


# --- Login -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ana", "ANA", "ana@example.com", "Ana@EXAMPLE.com"])
def test_login_by_username_or_email(client: TestClient, name: str) -> None:
    user = make_user(username="Ana", email="ana@example.com")
    response = client.post("/auth/login", data={"username": name, "password": PASSWORD})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    tokens = response.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
    assert client.get("/users/me", headers=bearer(tokens)).json()["id"] == user.id


@pytest.mark.parametrize("form", [{"username": "ana"}, {"password": PASSWORD}, {}])
def test_a_login_with_a_part_missing_is_invalid(client: TestClient, form: dict[str, str]) -> None:
    assert client.post("/auth/login", data=form).status_code == 422


def test_every_failed_login_gets_the_same_answer(client: TestClient) -> None:
    make_user(username="ana")
    make_user(username="off", is_active=False)
    make_user(username="gone", deleted_at=utcnow())
    tries = [
        *(("ana", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD), ("gone", PASSWORD)),
        *(("ana", PASSWORD + "x" * 5000), ("ana", "a\x00b"), ("ana\x00", PASSWORD)),
    ]
    answers = []
    for username, password in tries:
        data = {"username": username, "password": password}
        response = client.post("/auth/login", data=data)
        assert response.headers["www-authenticate"] == "Bearer"
        answers.append(response.json() | {"request_id": ""})
    assert answers == [answers[0]] * len(tries)
    assert answers[0]["status"] == 401


@pytest.mark.parametrize("costs", [[], ["04"], ["04", "05"]])
def test_a_refused_login_costs_the_same_for_whomever(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, costs: list[str]
) -> None:
    """Else the time of the answer tells who has an account, and how old it is."""
    context, verified = security._context(), []
    verify = context.verify_and_update

    def watched(password: str, against: str) -> Any:
        outcome = verify(password, against)  # raises for a damaged hash, without any work
        verified.append(security.bcrypt_cost(against) or against.split("$")[1])
        return outcome

    monkeypatch.setattr(context, "verify_and_update", watched)
    monkeypatch.setattr(old_hashes._Known, "costs", None)  # as in a new process
    make_user(username="new")
    make_user(username="broken", hashed_password="garbage")
    for cost in costs:
        make_user(username=f"old{cost}", hashed_password=bcrypt.using(rounds=int(cost)).hash("x"))
    gone = bcrypt.using(rounds=6).hash("x")
    make_user(username="gone", hashed_password=gone, deleted_at=utcnow())
    for username in ["new", "broken", "nobody", "gone", *(f"old{cost}" for cost in costs)]:
        verified.clear()
        data = {"username": username, "password": PASSWORD}
        if username == "new":
            data["password"] = "wrong"
        assert client.post("/auth/login", data=data).status_code == 401
        assert sorted(verified) == [*costs, "argon2id"], username


def test_login_tells_when_but_is_no_change_of_the_account(client: TestClient, user: User) -> None:
    login(client, user)
    after = stored(User)[0]
    assert utcnow() - after.last_login_at < timedelta(minutes=1)
    assert (after.version, after.updated_at) == (user.version, user.updated_at)


def test_the_same_password_in_another_normal_form_is_the_same(client: TestClient) -> None:
    user = make_user(password="caf\u00e9 \ufb01ve senhas")
    login(client, user, "cafe\u0301 five senhas")


def test_an_old_bcrypt_hash_works_and_is_replaced(client: TestClient) -> None:
    user = make_user(hashed_password=bcrypt.using(rounds=4).hash(PASSWORD))
    login(client, user)
    assert stored(User)[0].hashed_password.startswith("$argon2id$")
    login(client, user)


def test_a_damaged_hash_is_a_failed_login(client: TestClient) -> None:
    for hashed in ("", "garbage", "$argon2id$v=19$m=1"):
        user = make_user(hashed_password=hashed)
        data = {"username": user.username, "password": PASSWORD}
        assert client.post("/auth/login", data=data).status_code == 401


def test_neither_password_nor_token_is_logged(
    client: TestClient, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"), caplog.at_level("DEBUG", logger="app"):
        tokens = login(client, user)
        refresh(client, tokens)
        client.get(f"/users/me?token={tokens['access_token']}", headers=bearer(tokens))
    ours = [record for record in caplog.records if not record.name.startswith("http")]
    logged = "".join(record.getMessage() + str(vars(record)) for record in ours)
    assert "/api/v1/users/me" in logged
    for secret in (PASSWORD, tokens["access_token"], tokens["refresh_token"]):
        assert secret not in logged


def test_logins_do_not_stand_in_the_way_of_reads(
    client: TestClient, auth_headers: Headers, user: User, threaded: Database
) -> None:
    user = make_user()
    headers, gate, started = sign_in(user), threading.Event(), threading.Semaphore(0)

    def occupy() -> None:
        started.release()
        gate.wait(30)

    def hold() -> None:
        client.portal.call(HASHING.run, occupy)  # type: ignore[union-attr]

    holders = [threading.Thread(target=hold) for _ in range(HASHING.threads)]
    logins = [threading.Thread(target=login, args=(client, user)) for _ in range(20)]
    try:
        for holder in holders:
            holder.start()
        for _ in holders:
            assert started.acquire(timeout=10)
        for each in logins:
            each.start()
        # No thread for hashing is free and twenty logins wait: reads go on.
        assert client.get("/users/me", headers=headers).status_code == 200
        assert all(each.is_alive() for each in logins)
    finally:
        gate.set()
        for thread in holders + [each for each in logins if each.ident]:
            thread.join()


@pytest.mark.parametrize("name", ["ana ", " ana", "ana\t", "ana\u00a0", "ana@example.com "])
def test_a_name_with_spaces_is_another_one(client: TestClient, name: str) -> None:
    make_user(username="ana", email="ana@example.com")
    response = client.post("/auth/login", data={"username": name, "password": PASSWORD})
    assert response.status_code == 401


def test_logins_at_once_replace_an_old_hash_and_all_succeed(
    client: TestClient, threaded: Database
) -> None:
    user = make_user(hashed_password=bcrypt.using(rounds=4).hash(PASSWORD))
    data = {"username": user.username, "password": PASSWORD}
    logins = at_once(4, lambda _: client.post("/auth/login", data=data).status_code)
    assert logins == [200] * 4


@pytest.mark.parametrize("ending", ["logout", "password", "deactivation"])
def test_what_ends_a_session_also_ends_what_a_refresh_makes_of_it(
    client: TestClient, threaded: Database, ending: str
) -> None:
    """At the same moment: whichever comes first, nothing of the session is left."""
    admin = sign_in(make_user(role=Role.ADMIN))
    for number in range(6):
        user = make_user()
        tokens = login(client, user)
        passwords = {"current_password": PASSWORD, "new_password": f"a wholly new one {number}"}
        ends: dict[str, Callable[[], Any]] = {
            "logout": lambda t=tokens: client.post("/auth/logout", headers=bearer(t)),
            "password": lambda t=tokens, p=passwords: client.post(
                "/users/me/password", json=p, headers=bearer(t)
            ),
            "deactivation": lambda u=user: client.post(f"/users/{u.id}/deactivate", headers=admin),
        }
        calls = [ends[ending], lambda t=tokens: refresh(client, t)]
        ended, refreshed = at_once(2, lambda n, c=calls: c[n]())
        assert ended.status_code in (200, 204, 401), ended.text
        if ended.status_code == 401 or refreshed.status_code != 200:
            continue
        living = Token.used_at.is_(None)
        assert stored(Token, Token.user_id == user.id, living) == []


# --- Refresh tokens --------------------------------------------------------------------------


def test_refresh_trades_a_token_for_a_new_pair(client: TestClient, user: User) -> None:
    first = login(client, user)
    response = refresh(client, first)
    assert response.status_code == 200
    second = response.json()
    assert second["refresh_token"] != first["refresh_token"]
    assert client.get("/users/me", headers=bearer(second)).status_code == 200
    assert refresh(client, second).status_code == 200


def test_tokens_are_stored_as_hashes(client: TestClient, user: User) -> None:
    secret = login(client, user)["refresh_token"]
    token = stored(Token)[0]
    assert secret not in str(vars(token))
    assert len(token.token_hash) == 64


def test_a_second_use_ends_the_session(client: TestClient, user: User) -> None:
    first, other = login(client, user), login(client, user)
    second = refresh(client, first).json()
    assert refresh(client, first).status_code == 401
    assert refresh(client, second).status_code == 401
    assert client.get("/users/me", headers=bearer(second)).status_code == 401
    assert client.get("/users/me", headers=bearer(other)).status_code == 200


def test_of_ten_uses_at_once_one_wins_and_the_session_ends(
    client: TestClient, threaded: Database
) -> None:
    tokens = login(client, make_user())
    responses = at_once(10, lambda _: refresh(client, tokens))
    assert sorted(response.status_code for response in responses) == [200] + [401] * 9
    winner = next(each.json() for each in responses if each.status_code == 200)
    assert refresh(client, winner).status_code == 401
    assert client.get("/users/me", headers=bearer(winner)).status_code == 401


def test_an_expired_refresh_token_does_not_work(client: TestClient, user: User) -> None:
    tokens = login(client, user)
    token = stored(Token)[0]
    token.expires_at = utcnow() - timedelta(seconds=1)
    add(token)
    assert refresh(client, tokens).status_code == 401
    login(client, user)
    assert len(stored(Token)) == 1  # a login clears away what has expired


def test_a_deactivated_user_cannot_refresh(client: TestClient, user: User) -> None:
    tokens = login(client, user)
    user = stored(User)[0]
    user.is_active = False
    add(user)
    assert refresh(client, tokens).status_code == 401


@pytest.mark.parametrize("kind", [TokenKind.PASSWORD_RESET, TokenKind.EMAIL_VERIFICATION])
def test_no_token_serves_as_another(client: TestClient, user: User, kind: TokenKind) -> None:
    tokens = login(client, user)
    secret = tokens["refresh_token"]
    confirm = {"token": secret, "new_password": "a wholly new one"}
    assert client.post("/auth/password-reset/confirm", json=confirm).status_code == 400
    assert client.post("/auth/verify-email/confirm", json={"token": secret}).status_code == 400
    access = {"refresh_token": tokens["access_token"]}
    assert client.post("/auth/refresh", json=access).status_code == 422  # too long to be one
    assert client.get("/users/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    token = stored(Token)[0]
    token.kind = kind
    add(token)
    assert refresh(client, tokens).status_code == 401


# --- Sessions --------------------------------------------------------------------------------


def test_logout_ends_this_session_only(client: TestClient, user: User) -> None:
    here, elsewhere = login(client, user), login(client, user)
    assert client.post("/auth/logout", headers=bearer(here)).status_code == 204
    assert client.get("/users/me", headers=bearer(here)).status_code == 401
    assert refresh(client, here).status_code == 401
    assert client.get("/users/me", headers=bearer(elsewhere)).status_code == 200


def test_sessions_are_listed_and_ended(client: TestClient, user: User) -> None:
    here, elsewhere = login(client, user), login(client, user)
    sign_in(make_user())
    refresh(client, elsewhere)
    page = client.get("/auth/sessions", headers=bearer(here)).json()
    assert page["total"] == 2
    newest = page["items"][0]
    assert newest["signed_in_at"] < newest["last_used_at"] < newest["expires_at"]
    assert newest["user_agent"] == "testclient"
    ended = client.delete(f"/auth/sessions/{newest['id']}", headers=bearer(here))
    assert ended.status_code == 204
    assert client.get("/users/me", headers=bearer(elsewhere)).status_code == 401
    assert client.get("/auth/sessions", headers=bearer(here)).json()["total"] == 1


def test_a_strangers_session_is_not_found(
    client: TestClient, user: User, auth_headers: Headers
) -> None:
    sign_in(make_user())
    stranger = next(str(t.family) for t in stored(Token) if t.user_id != user.id)
    answers = []
    for session in (stranger, str(uuid.uuid4())):
        response = client.delete(f"/auth/sessions/{session}", headers=auth_headers)
        assert response.status_code == 404
        answers.append(response.json() | {"request_id": ""})
    assert answers[0] == answers[1]
    assert client.delete("/auth/sessions/x", headers=auth_headers).status_code == 422
    assert client.get("/auth/sessions?sort=token_hash", headers=auth_headers).status_code == 422


# --- Access tokens ---------------------------------------------------------------------------


def forged(**changes: Any) -> dict[str, Any]:
    now = utcnow()
    name = get_settings().app_name
    claims = {"sub": "1", "sid": str(uuid.uuid4()), "typ": "access", "iss": name, "aud": name}
    claims |= {"iat": now, "exp": now + timedelta(minutes=5)} | changes
    return {name: value for name, value in claims.items() if value is not None}


def encode(claims: dict[str, Any], key: str | None = None, algorithm: str = "HS256") -> str:
    token: str = jwt.encode(claims, key or get_settings().secret_key, algorithm=algorithm)
    return token


def unsigned(header: Any, claims: Any) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (header, claims))
    return b".".join([*parts, b""]).decode().replace("=", "")


def test_the_forgery_without_a_change_would_work(client: TestClient, user: User) -> None:
    sign_in(user)
    claims = forged(sub=str(user.id), sid=str(stored(Token)[0].family))
    headers = {"Authorization": f"Bearer {encode(claims)}"}
    assert client.get("/users/me", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        *({"exp": utcnow() - timedelta(seconds=1)}, {"exp": None}, {"exp": "never"}),
        *({"aud": "other"}, {"aud": None}, {"iss": "other"}, {"iss": None}),
        *({"typ": "refresh"}, {"typ": None}, {"sid": None}, {"sid": "x"}),
        *({"sid": str(uuid.uuid4())}, {"sub": None}, {"sub": "x"}, {"sub": "9" * 20}),
        *({"iat": None}, {"nbf": utcnow() + timedelta(minutes=5)}),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(
    client: TestClient, user: User, changes: dict[str, Any]
) -> None:
    sign_in(user)
    claims = forged(**{"sub": str(user.id), "sid": str(stored(Token)[0].family)} | changes)
    response = client.get("/users/me", headers={"Authorization": f"Bearer {encode(claims)}"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_hostile_tokens_are_refused(client: TestClient, user: User) -> None:
    sign_in(user)
    claims = forged(sub=str(user.id), sid=str(stored(Token)[0].family))
    good = encode(claims)
    plain = {**claims, "iat": 0, "exp": 2**33}
    hostile = [
        encode(claims, key="another key of at least 32 bytes!"),
        encode(claims, algorithm="HS512"),
        unsigned({"alg": "none", "typ": "JWT"}, plain),
        unsigned({"alg": "HS256", "typ": "JWT"}, plain),
        unsigned("[" * 5000, plain),
        base64.urlsafe_b64encode(b"[" * 1500).decode() + ".x.x",
        *(good + "x", good + ".x", good + "%00", good[:-4], good.upper(), good + " " + good),
        *("", "x", "a.b.c", "...", "é", "x" * 10_000, "null"),
    ]
    for token in hostile:
        headers = {"Authorization": f"Bearer {token}".encode()}
        response = client.get("/users/me", headers=headers)  # type: ignore[arg-type]
        assert response.status_code == 401, token
    for header in ("Basic YTpi", good, f"Token {good}", "Bearer"):
        assert client.get("/users/me", headers={"Authorization": header}).status_code == 401
    headers = {"Authorization": f"Bearer {good}"}
    assert client.get("/users/me", headers=headers).status_code == 200
    for first, second in ((f"Bearer {good}", "Bearer x"), ("Basic YTpi", f"Bearer {good}")):
        twice = [("Authorization", first), ("Authorization", second)]
        assert client.get("/users/me", headers=twice).status_code == 401


def test_asking_who_somebody_is_takes_one_statement(
    client: TestClient, auth_headers: Headers, count_statements: Any
) -> None:
    with count_statements() as statements:
        assert client.get("/users/me", headers=auth_headers).status_code == 200
    assert len(statements) == 1
