"""The notes of a development server: the last errors and slow queries, and never a value."""

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from app.cli import serving
from app.core import diagnostics
from app.core.config import Settings, get_settings
from app.core.database import Database
from app.core.diagnostics import last_errors, note_error, note_query, slowest_queries
from app.core.engines import make_engine
from app.core.logging import configure_logging
from app.core.middleware import RequestMiddleware
from tests.databases import BACKEND, address

ON = {"diagnostics": True, "slow_query_ms": 50}
NAP = {
    "sqlite": "SELECT nap(0.06), :secret",
    "postgresql": "SELECT pg_sleep(0.06), CAST(:secret AS text)",
    "mysql": "SELECT SLEEP(0.06), :secret",
}
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT max(i), :secret FROM n",
    "postgresql": "SELECT pg_sleep(60), CAST(:secret AS text)",
    # A sleep that is cut short is a result there, and no error.
    "mysql": "SELECT :secret, count(*) FROM information_schema.columns a,"
    " information_schema.columns b, information_schema.columns c",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(diagnostics, "FOLDER", tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def noting() -> Iterator[None]:
    """Errors that are logged are noted."""
    configure_logging(get_settings().model_copy(update=ON))
    yield
    configure_logging(get_settings())


def everything(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in folder.glob("*"))


def test_in_production_and_in_tests_it_is_off() -> None:
    values = {"_env_file": None, "secret_key": "x" * 32}
    for environment, kept in {"development": True, "test": False, "production": False}.items():
        assert Settings(environment=environment, **values).keeps_diagnostics is kept
    assert Settings(environment="production", diagnostics=True, **values).keeps_diagnostics
    assert not Settings(environment="development", diagnostics=False, **values).keeps_diagnostics
    assert not any(isinstance(h, diagnostics.ErrorNotes) for h in logging.getLogger().handlers)


def test_a_500_is_noted_with_its_place_and_without_what_was_sent(
    noting: None, folder: Path
) -> None:
    app = FastAPI()
    app.add_middleware(RequestMiddleware, settings=get_settings())

    class Answer(BaseModel):
        number: int

    @app.get("/broken/{word}")
    def get_broken(word: str) -> int:
        return int(word)

    @app.get("/wrong/{word}", response_model=Answer)
    def get_wrong(word: str) -> dict[str, str]:
        return {"number": word}

    client = TestClient(app)
    assert client.get("/broken/hunter2").status_code == 500
    assert client.get("/wrong/hunter2").status_code == 500
    wrong, broken = last_errors(10)
    assert (broken["type"], broken["operation"], broken["said"]) == (
        "ValueError",
        "get_broken",
        None,
    )
    assert broken["request_id"] != "-"
    assert wrong["operation"] == "get_wrong"
    assert wrong["fields"] == [{"loc": ["response", "number"], "type": "int_parsing"}]
    assert "hunter2" not in everything(folder)
    assert "app/core/middleware.py" in broken["frames"][0]
    assert len(last_errors(1)) == 1


def test_code_that_does_not_load_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = get_settings().model_copy(update=ON)
    monkeypatch.setattr(serving, "get_settings", lambda: settings)
    monkeypatch.setitem(sys.modules, "app.main", None)
    with pytest.raises(SystemExit):
        serving.load_app()
    (note,) = last_errors(10)
    assert note["type"] == "ModuleNotFoundError"
    assert "app.main" in note["said"]
    assert note["frames"][0].startswith("app/cli/serving.py")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no such column: books.titel", "no such column: books.titel"),
        ('relation "books" does not exist\nLINE 1: ...', 'relation "books" does not exist'),
        ("Duplicate entry 'hunter2' for key 'uq'", "Duplicate entry …"),
        ('invalid input syntax for integer: "hun"ter2"', "invalid input syntax for integer: …"),
        ("a new row violates\nDETAIL: (name)=(hunter2)", "a new row violates"),
    ],
)
def test_what_a_driver_says_is_kept_up_to_the_first_value(said: str, kept: str) -> None:
    note_error(DBAPIError("SELECT titel FROM books", {"x": "hunter2"}, Exception(said)))
    assert last_errors(1)[0]["said"] == kept


def test_other_messages_are_kept_when_they_are_about_code(folder: Path) -> None:
    note_error(AttributeError("'Book' object has no attribute 'titel'"))
    note_error(SyntaxError("invalid syntax", ("app/api/books.py", 3, 1, "def")))
    note_error(StatementError("hunter2", "SELECT 1", {"x": "hunter2"}, ValueError("hunter2")))
    note_error(KeyError("hunter2"))
    said = [note["said"] for note in last_errors(10)]
    attribute = "'Book' object has no attribute 'titel'"
    assert said == [None, None, "books.py, line 3: invalid syntax", attribute]
    assert "hunter2" not in everything(folder)


def test_slow_statements_are_noted_without_their_values(folder: Path, threaded: Database) -> None:
    engine = make_engine(address(threaded), get_settings().model_copy(update=ON), read_only=True)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        assert slowest_queries(10) == []
        if BACKEND == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.create_function("nap", 1, time.sleep)
        connection.execute(text(NAP[BACKEND]), {"secret": "hunter2"}).all()
    engine.dispose()
    (note,) = slowest_queries(10)
    assert note["ms"] >= 50
    assert note["statement"].startswith(NAP[BACKEND][:10])
    assert "hunter2" not in everything(folder)


def test_a_statement_that_is_ended_for_its_time_is_noted(threaded: Database) -> None:
    settings = get_settings().model_copy(update={**ON, "db_statement_timeout": 0.1})
    engine = make_engine(address(threaded), settings, read_only=True)
    with engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text(ENDLESS[BACKEND]), {"secret": "hunter2"})
    engine.dispose()
    assert slowest_queries(1)[0]["failed"]


def test_switched_off_nothing_listens(threaded: Database) -> None:
    engine = make_engine(address(threaded), get_settings())
    assert not engine.dispatch.after_cursor_execute
    engine.dispose()


def test_the_slowest_come_first_and_each_once() -> None:
    for statement, seconds in (("a", 0.1), ("b", 0.3), ("a", 0.2), ("c", 0.05)):
        note_query(statement, seconds)
    told = [(note["statement"], note["ms"], note["times"]) for note in slowest_queries(2)]
    assert told == [("b", 300, 1), ("a", 200, 2)]


def test_the_files_stay_small_and_half_a_line_does_no_harm(folder: Path) -> None:
    for number in range(250):
        note_query(f"{number} " + "x" * 5000, 0.1)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2 * diagnostics.LARGEST
    (folder / "errors.jsonl").write_text('{"type": "Val\n{"type": "Whole"}\n', "utf-8")
    assert [note["type"] for note in last_errors(5)] == ["Whole"]


def test_a_folder_that_cannot_be_made_is_no_fault(folder: Path) -> None:
    folder.write_text("in the way", "utf-8")
    note_query("SELECT 1", 0.2)
    note_error(ValueError())
    assert (folder.read_text("utf-8"), last_errors(1)) == ("in the way", [])
