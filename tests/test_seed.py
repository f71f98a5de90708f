"""`python run.py seed`: data that looks real, the same in each run, and no more of it."""

import re
from itertools import islice
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from app.cli.main import cli
from app.cli.planting import Plan, count_stored, find_seeds, locales
from app.core.config import get_settings
from app.core.database import session_scope
from app.models.user import User
from tests.factories import make_user
from tests.support import stored, writing

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "environment", "development")
    monkeypatch.setattr(get_settings(), "migrate_on_start", False)  # the tests' database is ready


def words(capture: Capture) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capture.readouterr().out)


def numbers() -> dict[str, int]:
    plan = Plan(rows=60, seed=1, locale="en_US")
    with writing() as db:
        return {name: count_stored(db, seed, plan) for name, seed in find_seeds().items()}


@pytest.mark.usefixtures("development")
def test_seed_fills_every_table_once(
    client: TestClient, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(rows=60, seed=1, locale="en_US")
    assert cli(["seed", "--rows", "60"]) == 0
    said = words(capsys)
    assert "rows added." in said
    assert "Log in as admin, moderator, user, with password demo-demo." in said
    first = numbers()
    assert first == {name: seed.number(plan) for name, seed in find_seeds().items()}
    assert min(first.values()) >= 12

    form = {"username": "admin", "password": "demo-demo"}
    token = client.post("/auth/login", data=form).json()["access_token"]
    listed = client.get("/users", headers={"Authorization": f"Bearer {token}"})
    assert listed.json()["total"] == first["users"]
    monkeypatch.setattr(get_settings(), "environment", "production")
    for password in ("demo-demo", "\uff44emo-demo"):  # which is the same, to Unicode
        tried = client.post("/auth/login", data=form | {"password": password})
        assert tried.status_code == 401
    monkeypatch.setattr(get_settings(), "environment", "development")

    assert cli(["seed", "--rows", "60"]) == 0
    assert "Nothing to add." in words(capsys)
    assert numbers() == first
    assert cli(["seed", "--rows", "240"]) == 0
    more = Plan(rows=240, seed=1, locale="en_US")
    assert first != numbers() == {name: seed.number(more) for name, seed in find_seeds().items()}


@pytest.mark.usefixtures("development")
def test_seed_goes_on_where_it_was_stopped() -> None:
    needed = {name for seed in find_seeds().values() for name in seed.AFTER}
    last = [find_seeds()[name] for name in find_seeds().keys() - needed]
    # Not those whose rows bring some of their own table along: no chunk ends between them.
    models: list[Any] = [seed.MODEL for seed in last if not hasattr(seed, "counted")]

    def made() -> list[dict[str, object]]:
        rows = [row.to_dict() for model in models for row in stored(model)]
        return [{name: row[name] for name in row.keys() - {"id", "updated_at"}} for row in rows]

    assert cli(["seed", "--rows", "30"]) == 0
    first = made()
    with session_scope() as db:
        for model in models:
            db.execute(delete(model).where(model.id > stored(model)[9].id))
    assert cli(["seed", "--rows", "30"]) == 0
    assert made() == first


@pytest.mark.parametrize("locale", locales())
@pytest.mark.parametrize("name", sorted(find_seeds().keys() & {"products", "users"}))
def test_a_seed_gives_the_same_rows_every_time(name: str, locale: str) -> None:
    def made(seed: int) -> list[str]:
        plan = Plan(rows=5_000, seed=seed, locale=locale)
        with writing() as db:
            rows = find_seeds()[name].make(db, plan)
            return [repr(row.to_dict()) for row in islice(rows, 500)]

    assert made(1) == made(1)
    assert made(1) != made(2)
    assert len(set(made(1))) == 500


@pytest.mark.usefixtures("development")
def test_seed_leaves_what_is_there(capsys: Capture) -> None:
    make_user(username="Admin")
    assert cli(["seed", "--rows", "1"]) == 0
    # Whose password is another one is not named.
    assert "Log in as moderator, user, with password demo-demo." in words(capsys)
    assert [user.username for user in stored(User)][:2] == ["Admin", "moderator"]


@pytest.mark.usefixtures("development")
def test_seed_makes_way_for_what_is_called_alike() -> None:
    plan = Plan(rows=20, seed=1, locale="en_US")
    make_user(username="someone", email="Moderator@example.com")
    with session_scope() as db:
        for name in find_seeds().keys() & {"categories", "products", "tags"}:
            row: Any = next(iter(find_seeds()[name].make(db, plan)))
            row.name = row.name.upper()
            db.add(row)
    assert cli(["seed", "--rows", "20"]) == 0
    assert numbers() == {name: seed.number(plan) for name, seed in find_seeds().items()}


def test_seed_is_for_development(capsys: Capture) -> None:
    assert cli(["seed"]) == 1
    assert "for development only" in capsys.readouterr().err
    assert stored(User) == []


@pytest.mark.usefixtures("development")
def test_seed_knows_its_languages(capsys: Capture) -> None:
    assert cli(["seed", "--locale", "xx"]) == 1
    assert "There are: en_US, pt_BR." in capsys.readouterr().err
    assert cli(["seed", "--rows", "0"]) == 2
