"""Rate limits, counted in memory and in Redis."""

import os
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient

from app.core import rate_limit
from app.core.config import get_settings
from tests.factories import PASSWORD, make_user, sign_in

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


def redis_answers() -> bool:
    try:
        return bool(redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1).ping())
    except redis.RedisError:
        return False


@pytest.fixture(params=["memory", "redis"])
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "redis":
        if not redis_answers():
            pytest.skip(f"no Redis at {REDIS_URL}")
        monkeypatch.setattr(get_settings(), "redis_url", REDIS_URL)
        # The counts of this run alone: others may use the same server.
        monkeypatch.setattr(get_settings(), "app_name", f"test-{uuid.uuid4().hex}")
    yield from limited(monkeypatch)


def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    rate_limit._shared.cache_clear()
    monkeypatch.setattr(get_settings(), "rate_limit_enabled", True)
    # By the hour: at the end of each window, a part of its tries is forgotten.
    monkeypatch.setattr(get_settings(), "rate_limit_account", "3/hour")
    monkeypatch.setattr(get_settings(), "rate_limit_address", "8/hour")
    yield
    monkeypatch.undo()
    rate_limit._Redis.away_until = 0.0
    rate_limit._shared.cache_clear()
    rate_limit._memory.cache_clear()


def log_in(client: TestClient, username: str, password: str = "wrong") -> Any:
    return client.post("/auth/login", data={"username": username, "password": password})


def test_logins_are_limited_per_account(client: TestClient, limits: None) -> None:
    user = make_user(username="ana")
    assert [log_in(client, name).status_code for name in ("ana", "ANA", "ana")] == [401] * 3
    response = log_in(client, user.username, PASSWORD)
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 3600
    assert response.headers["content-type"] == "application/problem+json"
    other = make_user()
    assert log_in(client, other.username, PASSWORD).status_code == 200


def test_the_two_names_of_an_account_count_as_one(client: TestClient, limits: None) -> None:
    make_user(username="ana", email="ana@example.com")
    names = ["ana", "ana@example.com", "Ana", "ANA@example.com"]
    assert [log_in(client, name).status_code for name in names] == [401, 401, 401, 429]


def test_nobodys_name_does_not_count_for_the_account_with_that_id(
    client: TestClient, limits: None
) -> None:
    user = make_user()
    assert [log_in(client, str(user.id)).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert log_in(client, user.username, PASSWORD).status_code == 200


def test_registrations_are_limited_per_address(client: TestClient, limits: None) -> None:
    def register(number: int) -> int:
        name = f"u_{number}"
        data = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        return client.post("/users/register", json=data).status_code

    assert [register(number) for number in range(9)] == [201] * 8 + [429]


def test_logins_are_limited_per_address(client: TestClient, limits: None) -> None:
    statuses = [log_in(client, f"user{number}").status_code for number in range(9)]
    assert statuses == [401] * 8 + [429]


def test_registrations_are_limited(client: TestClient, limits: None) -> None:
    def register(number: int) -> int:
        data = {"username": f"u_{number}", "email": "a@example.com", "password": PASSWORD}
        return client.post("/users/register", json=data).status_code

    assert [register(number) for number in range(4)] == [201, 409, 409, 429]


def test_mailed_tokens_are_limited(client: TestClient, limits: None) -> None:
    data = {"email": "a@example.com"}
    for path in ("/auth/password-reset", "/auth/verify-email/request"):
        statuses = [client.post(path, json=data).status_code for _ in range(4)]
        assert statuses == [204, 204, 204, 429]
    data = {"token": "a" * 43}
    statuses = [client.post("/auth/verify-email/confirm", json=data).status_code for _ in range(4)]
    assert statuses == [400, 400, 400, 429]


def test_guesses_of_the_current_password_are_limited(client: TestClient, limits: None) -> None:
    headers = sign_in(make_user())
    guess = {"current_password": "a guess"}
    tries = {
        "/users/me/password": guess | {"new_password": "a wholly new one"},
        "/users/me/email": guess | {"email": "new@example.com"},
    }
    answers = [
        client.post(path, json=data, headers=headers).status_code
        for path, data in [*tries.items()] * 2
    ]
    assert answers == [400, 400, 400, 429]


def test_a_redis_that_is_away_does_not_lift_the_limit(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "redis_url", "redis://127.0.0.1:1/0")
    for _ in limited(monkeypatch):
        statuses = [log_in(client, "ana").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]


def test_a_redis_that_is_silent_is_asked_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and says nothing: each login would wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0.1)
        port = silent.getsockname()[1]
        monkeypatch.setattr(get_settings(), "redis_url", f"redis://127.0.0.1:{port}/0")
        monkeypatch.setattr(rate_limit, "PATIENCE", 0.1)
        for _ in limited(monkeypatch):
            statuses = [log_in(client, "ana").status_code for _ in range(4)]
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()
    assert statuses == [401, 401, 401, 429]


def test_limits_can_be_switched_off(client: TestClient) -> None:
    assert [log_in(client, "ana").status_code for _ in range(30)] == [401] * 30
