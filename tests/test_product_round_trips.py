"""What a request costs in round trips: they are not noisy, so these are gates and no benchmark."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pymysql
import pytest
from fastapi.testclient import TestClient

from app.core import database as database_module
from tests.databases import BACKEND

Headers = dict[str, str]
Trips = list[str]

needs_a_server = pytest.mark.skipif(BACKEND == "sqlite", reason="SQLite has no server")


@contextmanager
def trips() -> Iterator[Trips]:
    """Each time that the driver waits for the server, in the block."""
    found: Trips = []
    with pytest.MonkeyPatch.context() as patch:
        if BACKEND == "postgresql":
            wait = psycopg.Connection.wait

            def counted_wait(connection: Any, generator: Any, *rest: Any) -> Any:
                found.append(generator.__name__)
                return wait(connection, generator, *rest)

            patch.setattr(psycopg.Connection, "wait", counted_wait)
        else:
            command = pymysql.connections.Connection._execute_command

            def counted_command(connection: Any, code: int, sql: Any) -> Any:
                found.append(str(sql))
                return command(connection, code, sql)

            patch.setattr(pymysql.connections.Connection, "_execute_command", counted_command)
        yield found


@pytest.fixture
def product(client: TestClient, admin_headers: Headers) -> str:
    """The path of one. The connections are open by then, and the statements prepared."""
    for number in range(7):
        made = client.post(
            "/products", json={"name": f"Lamp {number}", "price": "9.90"}, headers=admin_headers
        ).json()
    path = f"/products/{made['id']}"
    for _ in range(7):
        for warmed in (path, "/products", "/products?limit=2"):
            assert client.get(warmed).status_code == 200
    return path


@needs_a_server
def test_an_anonymous_read_is_one_round_trip(client: TestClient, product: str) -> None:
    with trips() as found:
        assert client.get(product).status_code == 200
    assert len(found) == 1, found


@needs_a_server
def test_a_list_is_one_round_trip_and_one_for_the_total(client: TestClient, product: str) -> None:
    cursor = client.get("/products?limit=2").json()["next_cursor"]
    client.get(f"/products?limit=2&cursor={cursor}")
    with trips() as by_cursor:
        assert client.get(f"/products?limit=2&cursor={cursor}").json()["total"] is None
    with trips() as counted:
        assert client.get("/products?limit=2").json()["total"] == 7
    assert len(by_cursor) == 1, by_cursor
    assert len(counted) == 2, counted


@needs_a_server
def test_a_create_by_a_user_is_four_round_trips(
    client: TestClient, product: str, admin_headers: Headers
) -> None:
    new = {"name": "Chair", "price": "49.90"}
    with trips() as found:
        assert client.post("/products", json=new, headers=admin_headers).status_code == 201
    # BEGIN, the user, INSERT ... RETURNING, COMMIT; MariaDB begins without being told.
    assert len(found) <= 4, found


@needs_a_server
def test_a_connection_that_was_used_just_now_is_not_pinged(
    client: TestClient, product: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings: list[Any] = []
    for engine in (database_module.database.engine, database_module.database.read_engine):
        ping = engine.dialect.do_ping

        def noted(connection: Any, ping: Callable[[Any], bool] = ping) -> bool:
            pings.append(connection)
            return ping(connection)

        monkeypatch.setattr(engine.dialect, "do_ping", noted)
    client.get(product)
    assert pings == []
    monkeypatch.setattr("app.core.engines.PING_AFTER", -1.0)
    client.get(product)
    assert len(pings) == 1
