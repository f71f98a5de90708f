"""`python run.py describe`: what is there, and nothing that is secret."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.cli import describing, state
from app.cli.console import CommandError
from app.cli.main import cli
from app.cli.scaffold.features import features
from app.cli.scaffold.project import Project
from app.core import diagnostics
from app.core.config import ROOT, Settings, get_settings
from app.models import Base
from tests.test_access import rows

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(diagnostics, "FOLDER", tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def told(notes: Path, capsys: Capture) -> dict[str, Any]:
    assert cli(["describe", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_it_tells_every_route_table_and_feature(told: dict[str, Any], app: FastAPI) -> None:
    operations = {
        (method.upper(), path)
        for path, item in app.openapi()["paths"].items()
        for method in item
        if "operationId" in item[method]
    }
    assert {(each["method"], each["path"]) for each in told["routes"]} == operations
    assert {each["name"] for each in told["tables"]} == set(Base.metadata.tables)
    names = [each.name for each in features(Project(ROOT))]
    assert [each["name"] for each in told["features"]] == names
    assert {each["feature"] for each in told["routes"] if each["feature"]} == set(names)
    assert told["migrations"]["current"] == told["migrations"]["heads"]
    assert told["migrations"]["pending"] == []


def test_it_tells_who_may_call_what(told: dict[str, Any]) -> None:
    prefix = get_settings().api_prefix
    levels = {(each["method"], each["path"]): each["access"] for each in told["routes"]}
    for method, path, level in rows():
        assert levels[method, prefix + path] == level, (method, path)


def test_it_tells_of_columns_and_relations(told: dict[str, Any]) -> None:
    users = next(each for each in told["tables"] if each["name"] == "tokens")
    columns = {each["name"]: each for each in users["columns"]}
    assert columns["user_id"]["refers_to"] == "users.id (CASCADE)"
    assert columns["user_id"]["indexed"]
    assert columns["token_hash"]["unique"]
    assert columns["user_agent"] == {
        "name": "user_agent",
        "type": "VARCHAR(255)",
        "nullable": True,
    }
    (user,) = (each for each in users["relations"] if each["name"] == "user")
    assert (user["kind"], user["model"], user["other_side"]) == ("manytoone", "User", "tokens")


def test_it_tells_settings_without_secrets() -> None:
    secrets = {
        "secret_key": "k" * 32,
        "redis_url": "redis://:pass1@host",
        "smtp_password": "pass2",
        "database_url": "postgresql://ana:pass3@host/name?sslpassword=pass4",
    }
    told = state.describe_settings(Settings(_env_file=None, **secrets))
    assert told.keys() == Settings.model_fields.keys()
    assert told["database_url"] == "postgresql+psycopg://ana:***@host/name"
    assert [told[name] for name in ("secret_key", "redis_url", "smtp_password")] == ["set"] * 3
    assert not re.search(r"pass\d|kkk", str(told))


def test_for_people_it_is_text(notes: Path, capsys: Capture) -> None:
    diagnostics.note_query("SELECT [bold] FROM users", 0.25)
    diagnostics.note_error(AttributeError("no attribute [red]"), "get_user")
    assert cli(["describe"]) == 0
    said = capsys.readouterr().out
    assert "get_profile" in said
    assert "the newest" in said
    assert "ENVIRONMENT=test" in said
    assert "250 ms  SELECT [bold] FROM users" in said
    assert "AttributeError in get_user: no attribute [red]" in said
    assert cli(["describe", "users"]) == 0
    said = capsys.readouterr().out
    assert "get_profile" in said
    assert "get_liveness" not in said


def test_an_unknown_feature_is_told_in_a_line(capsys: Capture) -> None:
    assert cli(["describe", "usr"]) == 1
    assert capsys.readouterr().err == "✗ There is no feature usr. Did you mean user?\n"


def test_a_database_that_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.db"
    elsewhere = get_settings().model_copy(update={"database_url": f"sqlite:///{path}"})
    monkeypatch.setattr(state, "get_settings", lambda: elsewhere)
    told = state.describe_migrations()
    assert told["problem"] == "There is no app.db yet: python run.py migrate"
    assert told["pending"][0]["revision"] == "0001"
    assert not path.exists()


def test_code_that_cannot_be_imported_is_told_by_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise NameError("name 'Prodct' is not defined")

    monkeypatch.setattr("app.main.app.openapi", broken)
    with pytest.raises(CommandError, match=r"line .*: NameError: name 'Prodct' is not defined"):
        describing.load_document()
