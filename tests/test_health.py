"""Health, with the database there and away."""

import socket
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.core import database as database_module
from app.core import health
from app.core.config import get_settings
from app.core.database import Database

LIVE, READY = "http://testserver/health/live", "http://testserver/health/ready"


def test_live(client: TestClient) -> None:
    assert client.get(LIVE).json() == {"status": "alive", "checks": {}}


def test_ready_tells_each_check_and_its_time(client: TestClient) -> None:
    response = client.get(READY)
    assert response.status_code == 200
    health = response.json()
    assert health["status"] == "ready"
    assert set(health["checks"]) == {"database", "migrations"}
    assert all(check["ok"] and check["ms"] >= 0 for check in health["checks"].values())


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://x:secret@127.0.0.1:1/x", "mysql+pymysql://x:secret@127.0.0.1:1/x"]
)
def test_away_is_503_and_it_recovers(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    away = Database(url, get_settings())
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "database", away)
        assert client.get(LIVE).status_code == 200
        response = client.get(READY)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "2"
        assert response.json()["detail"].startswith("database: does not answer (")
        assert "secret" not in response.text
        login = client.post("/auth/login", data={"username": "ana", "password": "x"})
        assert login.status_code == 503
        assert login.headers["retry-after"] == "2"
        assert login.headers["content-type"] == "application/problem+json"
        assert "secret" not in login.text
    away.dispose()
    assert client.get(READY).status_code == 200


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_silent_database_is_503_in_time(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    """It takes connections and says nothing. Who asks is not kept waiting for it."""
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        silent = Database(f"{driver}://x@127.0.0.1:{port}/x", get_settings())
        monkeypatch.setattr(database_module, "database", silent)
        response = client.get(READY)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "2"
        assert client.get(LIVE).status_code == 200
        connection, _ = listening.accept()
        connection.close()  # lets the thread that waits go on
    silent.dispose()


def test_a_database_without_the_schema_is_not_ready(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Database(f"sqlite:///{tmp_path}/empty.db", get_settings())
    monkeypatch.setattr(database_module, "database", empty)
    response = client.get(READY)
    assert response.status_code == 503
    assert "migrations: not applied yet" in response.json()["detail"]
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('other')")
    assert "migrations: at other, not at " in client.get(READY).json()["detail"]
    empty.dispose()
