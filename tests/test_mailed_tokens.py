"""Password resets and confirmed addresses, with a real SMTP server."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.database import Database
from app.core.mail import send_mail
from app.models.token import Token
from app.models.user import User
from tests.factories import PASSWORD, add, make_user, sign_in
from tests.mail import Mailbox, smtp_server
from tests.support import at_once, stored

ACCESS = [
    ("POST", "/auth/password-reset", "anyone"),
    ("POST", "/auth/password-reset/confirm", "anyone"),
    ("POST", "/auth/verify-email/request", "anyone"),
    ("POST", "/auth/verify-email/confirm", "anyone"),
]

NEW = "a wholly new one"


@pytest.fixture(scope="module")
def server() -> Iterator[Mailbox]:
    with smtp_server() as mailbox:
        yield mailbox


@pytest.fixture
def mailbox(server: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    server.clear()
    monkeypatch.setattr(get_settings(), "smtp_host", "127.0.0.1")
    monkeypatch.setattr(get_settings(), "smtp_port", server.port)
    monkeypatch.setattr(get_settings(), "smtp_security", "none")
    return server


def ask_reset(client: TestClient, email: str) -> None:
    response = client.post("/auth/password-reset", json={"email": email})
    assert (response.status_code, response.content) == (204, b"")


def ask_verification(client: TestClient, email: str) -> None:
    response = client.post("/auth/verify-email/request", json={"email": email})
    assert (response.status_code, response.content) == (204, b"")


def reset(client: TestClient, token: str, password: str = NEW) -> Any:
    data = {"token": token, "new_password": password}
    return client.post("/auth/password-reset/confirm", json=data)


def can_log_in(client: TestClient, user: User, password: str) -> bool:
    data = {"username": user.username, "password": password}
    return client.post("/auth/login", data=data).status_code == 200


def test_reset_a_password(client: TestClient, mailbox: Mailbox, user: User) -> None:
    headers = sign_in(user)
    ask_reset(client, user.email.upper())
    assert mailbox[0]["Subject"] == "FastAPI Live: reset your password"
    assert user.username in mailbox[0].get_payload()
    assert reset(client, mailbox.token(to=user.email)).status_code == 204
    assert client.get("/users/me", headers=headers).status_code == 401
    assert not can_log_in(client, user, PASSWORD)
    assert can_log_in(client, user, NEW)


def test_asking_does_not_tell_whether_there_is_an_account(
    client: TestClient, mailbox: Mailbox
) -> None:
    off, gone = make_user(is_active=False), make_user(deleted_at=utcnow())
    for email in ("nobody@example.com", off.email, gone.email):
        ask_reset(client, email)
        ask_verification(client, email)
    assert mailbox == []


def test_a_reset_token_works_once(client: TestClient, mailbox: Mailbox, user: User) -> None:
    ask_reset(client, user.email)
    token = mailbox.token(to=user.email)
    assert reset(client, token).status_code == 204
    assert reset(client, token, PASSWORD).status_code == 400
    assert can_log_in(client, user, NEW)


def test_of_ten_uses_of_a_reset_token_at_once_one_wins(
    client: TestClient, mailbox: Mailbox, threaded: Database
) -> None:
    user = make_user()
    ask_reset(client, user.email)
    token = mailbox.token(to=user.email)
    statuses = at_once(10, lambda n: reset(client, token, f"{NEW} {n}").status_code)
    assert sorted(statuses) == [204] + [400] * 9
    assert can_log_in(client, user, f"{NEW} {statuses.index(204)}")


def test_a_refused_password_leaves_the_token_unused(
    client: TestClient, mailbox: Mailbox, user: User
) -> None:
    ask_reset(client, user.email)
    token = mailbox.token(to=user.email)
    assert reset(client, token, "short").status_code == 422
    refused = reset(client, token, "password1")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["body", "new_password"]
    assert reset(client, token, user.email).status_code == 422
    assert reset(client, token).status_code == 204


def test_only_the_newest_mail_works(client: TestClient, mailbox: Mailbox, user: User) -> None:
    ask_reset(client, user.email)
    older = mailbox.token(to=user.email)
    ask_reset(client, user.email)
    newer = mailbox.token(to=user.email)
    assert reset(client, older).status_code == 400
    assert reset(client, newer).status_code == 204


@pytest.mark.parametrize("token", ["x", "a" * 43, "é", "\x00", "a" * 200])
def test_a_made_up_token_is_refused(client: TestClient, token: str) -> None:
    assert reset(client, token).status_code == 400
    assert client.post("/auth/verify-email/confirm", json={"token": token}).status_code == 400


def test_an_expired_token_is_refused(client: TestClient, mailbox: Mailbox, user: User) -> None:
    ask_reset(client, user.email)
    token = stored(Token)[0]
    token.expires_at = utcnow() - timedelta(seconds=1)
    add(token)
    assert reset(client, mailbox.token(to=user.email)).status_code == 400


def test_registration_mails_a_token_that_confirms(client: TestClient, mailbox: Mailbox) -> None:
    data = {"username": "ana", "email": "ana@example.com", "password": PASSWORD}
    assert client.post("/users/register", json=data).status_code == 201
    assert mailbox[0]["Subject"] == "FastAPI Live: confirm your email address"
    token = {"token": mailbox.token(to="ana@example.com")}
    assert client.post("/auth/verify-email/confirm", json=token).status_code == 204
    assert stored(User)[0].email_verified_at is not None
    assert client.post("/auth/verify-email/confirm", json=token).status_code == 400
    ask_verification(client, "ana@example.com")
    assert len(mailbox) == 1  # nothing is left to confirm


def test_a_new_address_makes_mailed_tokens_void(
    client: TestClient, mailbox: Mailbox, user: User
) -> None:
    ask_verification(client, user.email)
    ask_reset(client, user.email)
    reset_token = mailbox.token(to=user.email)
    verify_token = stored(Token)[0]
    change = {"email": "new@example.com", "current_password": PASSWORD}
    response = client.post("/users/me/email", json=change, headers=sign_in(user))
    assert response.status_code == 200
    assert mailbox[-1]["Subject"] == "FastAPI Live: confirm your email address"
    assert mailbox[-1]["To"] == "new@example.com"
    assert reset(client, reset_token).status_code == 400
    assert stored(Token, Token.id == verify_token.id)[0].used_at is not None


@pytest.mark.parametrize("path", ["/auth/password-reset", "/auth/verify-email/request"])
def test_asking_needs_an_address(client: TestClient, path: str) -> None:
    for data in ({}, {"email": "x"}, {"email": None}, {"email": "a@example.com", "x": 1}):
        assert client.post(path, json=data).status_code == 422


def test_a_mail_server_that_is_away_is_logged_and_nothing_more(
    client: TestClient,
    mailbox: Mailbox,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(get_settings(), "smtp_port", 1)
    with caplog.at_level(logging.ERROR):
        ask_reset(client, user.email)
    assert "A mail could not be sent" in caplog.text


def test_in_development_mail_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(get_settings(), "environment", "development")
    send_mail("ana@example.com", "hello", "The text")
    assert "Mail to ana@example.com: FastAPI Live: hello\nThe text" in capsys.readouterr().out


def test_in_production_a_missing_mail_server_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(get_settings(), "environment", "production")
    send_mail("ana@example.com", "hello", "The secret")
    assert "set SMTP_HOST" in caplog.text
    assert "secret" not in caplog.text
